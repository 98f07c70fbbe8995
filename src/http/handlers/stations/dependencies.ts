/** What the routes of stations are made of. */
import type { ContentLimits } from "../../../ingest/content/content-type.ts";
import type { Idempotency } from "../../../ingest/idempotency.ts";
import type { Stations } from "../../../ingest/stations.ts";
import type { PullConsumers } from "../../../consume/consume.ts";
import type { Intake } from "../../intake.ts";
import type { ReadBody } from "../../middleware/body.ts";
import type { StreamSettings } from "../../stream-answer.ts";

export interface StationRouteDependencies {
  readonly stations: Pick<Stations, "resolve" | "existing">;
  readonly intake: Intake;
  readonly idempotency: Idempotency;
  readonly streams: StreamSettings;
  /** Largest event in bytes. */
  readonly maxEventBytes: number;
  readonly consumers: Pick<PullConsumers, "pull">;
  readonly readBody: ReadBody;
  readonly contentLimits: ContentLimits;
  /** Events of one batch or beacon. */
  readonly maxEvents: number;
}

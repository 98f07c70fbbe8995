/** What the routes of the REST Proxy API are made of. */
import type { Broker } from "../../../broker/broker.ts";
import type { ContentLimits } from "../../../ingest/content/content-type.ts";
import type { StationListDependencies } from "../../../ingest/station-list.ts";
import type { Stations } from "../../../ingest/stations.ts";
import type { Intake } from "../../intake.ts";
import type { ReadBody } from "../../middleware/body.ts";
import type { StreamSettings } from "../../stream-answer.ts";

export interface RestProxyDependencies {
  readonly stations: Pick<Stations, "resolve" | "existing" | "nameOfTopic">;
  readonly broker: Pick<Broker, "partitions" | "watermarks">;
  /** What there is to be listed. */
  readonly listed: StationListDependencies;
  readonly intake: Intake;
  readonly readBody: ReadBody;
  readonly contentLimits: ContentLimits;
  readonly streams: StreamSettings;
  /** Largest value of a record, in bytes. */
  readonly maxEventBytes: number;
  /** Headers of one record. */
  readonly maxHeaders: number;
  /** Records of one call. */
  readonly maxEvents: number;
  /** Entries of one `records:batch`. */
  readonly maxEntries: number;
  /** Single records answer 200 with the error inside, as the original does. */
  readonly alwaysStatus200: boolean;
}

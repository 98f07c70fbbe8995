/** The failed attempts and the dead letters of a connector. Kafka Connect has no such routes. */
import type { Role } from "../../../auth/operators/operator.ts";
import type { Broker, ConsumedRecord } from "../../../broker/broker.ts";
import type { Connectors } from "../../../delivery/connectors/connectors.ts";
import { causeOf, originalOf } from "../../../delivery/engine/dead-letters.ts";
import type { FailedAttempt } from "../../../delivery/engine/observer.ts";
import { newestRecords } from "../../../delivery/engine/topic-tail.ts";
import type { Clock } from "../../../lib/clock.ts";
import type { Call } from "../../call.ts";
import * as documentation from "./insight-documentation.ts";
import { recordView } from "../../record-view.ts";
import { sendJson } from "../../respond.ts";
import type { OpenRoute } from "../../routes.ts";
import { pathParameter } from "../../url.ts";

export interface ConnectorFailures {
  /** Newest first. */
  readonly newest: readonly FailedAttempt[];
  /** Number of worker processes whose failures are missing, because they did not answer in time. */
  readonly missing: number;
}

export interface ConnectorInsightDependencies {
  readonly connectors: Pick<Connectors, "status" | "deadLetters">;
  readonly failures: (connector: string) => Promise<ConnectorFailures>;
  readonly broker: Pick<Broker, "subscribe" | "watermarks" | "topic">;
  readonly clock: Clock;
  /** The least role that reads events. */
  readonly eventsRole: Role | (() => Role);
}

/** Maximum number of dead letters in one answer. */
const MAX_LETTERS = 50;
/** After this time the answer has the dead letters that are read so far. Kafka starts a consumer faster than this. */
const READ_TIMEOUT_MS = 10_000;

const nameIn = ({ request }: Call): string => pathParameter(request, "name");

const failureView = ({ at, topic, partition, offset, ...report }: FailedAttempt) => ({
  at,
  topic,
  partition,
  offset: offset.toString(),
  attempt: report.attempt,
  outcome: report.outcome,
  status: report.status ?? null,
  error: report.error ?? null,
  retryInMs: report.retryInMs ?? null,
});

/** Returns undefined for a dead letter of another connector. */
const letterView = (letter: ConsumedRecord, connector: string) => {
  const original = originalOf(letter, connector);
  if (original === undefined) return undefined;
  const { topic, partition, offset } = original;
  return {
    ...recordView({ ...letter, headers: original.headers }),
    of: { topic, partition, offset: offset.toString() },
    ...causeOf(letter),
  };
};

export const connectorInsightRoutes = (dependencies: ConnectorInsightDependencies): readonly OpenRoute[] => {
  const { connectors, failures, broker, clock, eventsRole } = dependencies;
  const row = { method: "GET", family: "connect", auth: "admin" } as const;
  return [
    {
      ...row,
      path: "/connectors/:name/failures",
      documentation: documentation.listFailures,
      handler: async (call) => {
        const { name } = await connectors.status(nameIn(call));
        const { newest, missing } = await failures(name);
        const gap = missing > 0 && { missingWorkers: missing };
        sendJson(call.response, 200, { failures: newest.map(failureView), ...gap });
      },
    },
    {
      ...row,
      path: "/connectors/:name/dead-letters/records",
      role: eventsRole,
      documentation: documentation.listDeadLetters,
      handler: async (call) => {
        const name = nameIn(call);
        const { topic } = await connectors.deadLetters(name);
        const newest = await newestRecords({
          broker,
          clock,
          topic,
          count: MAX_LETTERS,
          timeoutMs: READ_TIMEOUT_MS,
        });
        const records = newest.flatMap((letter) => letterView(letter, name) ?? []);
        sendJson(call.response, 200, { topic, records });
      },
    },
  ];
};

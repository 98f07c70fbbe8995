/**
 * Stores audit entries in a station. A change on the operators' port does not wait for its entry: entries wait here while the
 * broker can't store them.
 */
import { isDeepStrictEqual } from "node:util";
import type { Broker, BrokerRecord, TopicSpec } from "../broker/broker.ts";
import type { GatewayError } from "../errors.ts";
import { type Clock, pause } from "../lib/clock.ts";
import { uuidV7 } from "../lib/uuid.ts";
import type { AuditLine } from "../observability/audit.ts";
import type { Logger } from "../observability/logger/logger.ts";

export interface AuditStation {
  /** Stores the entry with an id. Entries keep their order. An entry can be stored twice after an unknown outcome, with one id. */
  add(line: AuditLine): void;
  /** Waiting and further entries go to this station. undefined: no station stores entries, and the waiting ones are dropped. */
  use(target: AuditTarget | undefined): void;
  /** Tries once more to store the waiting entries. Entries after `close` are dropped. */
  close(): Promise<void>;
}

/** A station that stores entries. */
export interface AuditTarget {
  readonly station: string;
  /** The topic of the station. It is created if it is missing and `mayCreate` is true. */
  readonly topic: TopicSpec;
  readonly mayCreate: boolean;
}

export interface AuditStationOptions {
  /** undefined: no station stores entries. */
  readonly target: AuditTarget | undefined;
  readonly broker: Pick<Broker, "append" | "ensureTopic">;
  readonly clock: Clock;
  readonly logger: Pick<Logger, "warn">;
  /** Called with the number of entries that were dropped. */
  readonly unstored: (entries: number) => void;
}

/** Maximum number of waiting entries. Further entries are dropped. */
const MAX_WAITING = 1000;
/** Maximum number of entries of one append. */
const MAX_APPEND = 100;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;

const NO_STATION = "audit.station is not set any more";

const HEADERS = [{ name: "content-type", value: Buffer.from("application/json") }];

/** Failures that a repetition does not change. */
const FINAL: ReadonlySet<string> = new Set(["RECORD_TOO_LARGE", "RECORD_REFUSED"]);

const recordOf = (line: AuditLine): BrokerRecord => ({
  key: line.target === undefined ? null : Buffer.from(line.target),
  value: Buffer.from(JSON.stringify({ id: uuidV7(line.time), ...line })),
  headers: HEADERS,
  timestamp: line.time,
});

interface Appended {
  /** Failed for now, in their order. */
  readonly kept: readonly { readonly record: BrokerRecord; readonly error: GatewayError }[];
  /** Number of records that the topic refuses. */
  readonly refused: number;
}

/** Appends the records. Creates the topic for the next try if it is missing. */
const append = async (
  broker: AuditStationOptions["broker"],
  { topic, mayCreate }: AuditTarget,
  records: readonly BrokerRecord[],
): Promise<Appended> => {
  const outcomes = await broker.append(topic.name, records);
  const failed = records.flatMap((record, i) => {
    const outcome = outcomes[i];
    return outcome?.status === "failed" ? [{ record, error: outcome.error }] : [];
  });
  const kept = failed.filter(({ error }) => !FINAL.has(error.code));
  if (mayCreate && kept.some(({ error }) => error.code === "STATION_UNKNOWN"))
    await broker.ensureTopic(topic).catch(() => undefined);
  return { kept, refused: failed.length - kept.length };
};

/** Counts the dropped entries. Warns about the first of them, and about the first append that fails for now. */
const createReports = ({ logger, unstored }: Pick<AuditStationOptions, "logger" | "unstored">) => {
  /** The target of the last append, if that append failed for now. */
  let down: AuditTarget | undefined;
  let hasDropped = false;
  const drop = (entries: number, reason: string): void => {
    unstored(entries);
    if (!hasDropped) logger.warn({ entries, reason }, "audit entries are dropped");
    hasDropped = true;
  };
  return {
    drop,
    /** The target has changed, so the next drop causes a warning again. */
    retarget: (): void => {
      hasDropped = false;
    },
    appended: (to: AuditTarget, { waiting, refused, error }: Append): void => {
      if (refused > 0) drop(refused, "the topic refuses them");
      if (error !== undefined && down !== to)
        logger.warn({ station: to.station, waiting, err: error }, "audit entries can't be stored yet");
      down = error && to;
      if (error === undefined && refused === 0) hasDropped = false;
    },
  };
};

/** The end of an append, and the number of entries that wait after it. */
interface Append {
  readonly waiting: number;
  readonly refused: number;
  /** Of the first entry that could not be stored for now. */
  readonly error: GatewayError | undefined;
}

export const createAuditStation = (options: AuditStationOptions): AuditStation => {
  const { broker, clock } = options;
  const reports = createReports(options);
  let { target } = options;
  let isClosing = false;
  /** Ends the pause before the next try. */
  let wake = new AbortController();
  let waiting: readonly BrokerRecord[] = [];
  let storing: Promise<void> | undefined;

  const dropWaiting = (reason: string): void => {
    if (waiting.length > 0) reports.drop(waiting.length, reason);
    waiting = [];
  };

  /** False: some entries could not be stored. */
  const storeSome = async (to: AuditTarget): Promise<boolean> => {
    const batch = waiting.slice(0, MAX_APPEND);
    const { kept, refused } = await append(broker, to, batch);
    waiting = [...kept.map(({ record }) => record), ...waiting.slice(batch.length)];
    reports.appended(to, { waiting: waiting.length, refused, error: kept[0]?.error });
    return kept.length === 0;
  };

  const storeAll = async (): Promise<void> => {
    let ms = FIRST_PAUSE_MS;
    while (waiting.length > 0) {
      if (target === undefined) dropWaiting(NO_STATION);
      else {
        // Taken before the append: the target can change while it runs.
        const { signal } = wake;
        if (await storeSome(target)) ms = FIRST_PAUSE_MS;
        else if (isClosing) break;
        else {
          await pause(clock, ms, signal);
          ms = signal.aborted ? FIRST_PAUSE_MS : Math.min(ms * 2, LONGEST_PAUSE_MS);
        }
      }
    }
    // In the same turn as the last check, so that no entry is added between them.
    storing = undefined;
  };

  return {
    add: (line) => {
      if (target === undefined) return;
      if (isClosing) reports.drop(1, "the process ends");
      else if (waiting.length >= MAX_WAITING) reports.drop(1, `${MAX_WAITING} entries wait already`);
      else {
        waiting = [...waiting, recordOf(line)];
        storing ??= storeAll();
      }
    },
    use: (next) => {
      if (isDeepStrictEqual(next, target)) return;
      target = next;
      reports.retarget();
      wake.abort();
      wake = new AbortController();
    },
    close: async () => {
      isClosing = true;
      wake.abort();
      await storing;
      dropWaiting("the process ends");
    },
  };
};

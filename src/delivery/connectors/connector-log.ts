/**
 * The state of all connectors, stored in a compacted topic that every process reads from its beginning: definitions with
 * target states (written when an operator makes a change), failures of tasks, and the topics that connectors have read.
 *
 * How two processes change one connector at the same time:
 * - The order of the log decides. The version of a definition is the offset of its record.
 * - Before a process decides on a change, it reads the log to its end (`latest`: it writes a barrier and waits until it has
 *   read the barrier). The record that it then writes has the header `seen`: the offset up to which the process has read.
 * - A definition is valid if no newer definition came between `seen` and the record: `seen` is not lower than the current
 *   version. So all processes take the first of two changes. The writer of the second change finds out when it reads its
 *   own record back (`define` resolves with false).
 * - Compaction is sure to keep only the newest record of each key, and that is now the void one. Its writer therefore
 *   writes a copy of the current definition, with the header `version`. A copy changes nothing. The writer repeats this
 *   until no other definition came in between. If the writer dies before that, the next process that starts does it.
 * - A deletion is a definition too: a record without a value. Records of earlier releases have no `seen`. They are always
 *   valid, and earlier releases take all records as valid.
 */
import type { Broker, ConsumedRecord, RecordHeader, Subscription } from "../../broker/broker.ts";
import { asGatewayError, GatewayError } from "../../errors.ts";
import { pause, type Clock } from "../../lib/clock.ts";
import {
  createLogView,
  createReadProgress,
  type Definition,
  type Failure,
  KINDS,
  seenHeader,
  versionHeader,
} from "./connector-log-view.ts";

export interface ConnectorLog {
  /**
   * Reads the log, and resolves when everything that was written before is known. Tries again while the broker is unavailable.
   * From then on it calls `onChange` with the name of each connector that has changed.
   */
  open(onChange: (name: string) => void): Promise<void>;
  /** Resolves when `open` has resolved. Rejects with BROKER_UNAVAILABLE after the time that a client may wait. */
  opened(): Promise<void>;
  /** Reads the log to its current end. Resolves with the offset of the last record read: `seen` of the next change. */
  latest(): Promise<bigint>;
  readonly names: readonly string[];
  definition(name: string): Definition | undefined;
  failure(name: string): Failure | undefined;
  /** Topics that the connector has read. */
  topics(name: string): ReadonlySet<string>;
  /**
   * Stores a definition and resolves when it has been read back. false: another change came first, and this one is void.
   * `definition` undefined: deletes the connector. `seen`: result of `latest`. Rejects with BROKER_UNAVAILABLE.
   */
  define(name: string, definition: Definition | undefined, seen: bigint): Promise<boolean>;
  fail(name: string, failure: Failure): Promise<void>;
  /** Stores that the connector has read a topic. `isRead` false: deletes this. */
  noteTopic(name: string, topic: string, isRead: boolean): Promise<void>;
  close(): Promise<void>;
}

export interface ConnectorLogOptions {
  readonly broker: Broker;
  readonly topic: string;
  readonly clock: Clock;
  readonly onError: (error: GatewayError) => void;
}

const AGAIN_MS = 2000;

interface Content {
  readonly key: string;
  /** undefined: a tombstone. */
  readonly value: unknown;
  readonly headers?: readonly RecordHeader[];
}

/** Returns the offset of the stored record. */
const store = async (
  { broker, topic, clock }: Pick<ConnectorLogOptions, "broker" | "topic" | "clock">,
  { key, value, headers = [] }: Content,
): Promise<bigint> => {
  const record = {
    key: Buffer.from(key),
    value: value === undefined ? null : Buffer.from(JSON.stringify(value)),
    headers,
    timestamp: clock.now(),
    partition: 0,
  };
  const [outcome] = await broker.append(topic, [record]);
  if (outcome?.status !== "stored") throw outcome?.error ?? new GatewayError("BROKER_UNAVAILABLE");
  return outcome.offset;
};

/** Reads and writes the log. */
const createJournal = (options: ConnectorLogOptions, onRecord: (changed: string | undefined) => void) => {
  const view = createLogView();
  const progress = createReadProgress(options.clock);

  const onRecords = (records: readonly ConsumedRecord[]): void => {
    for (const record of records) if (progress.isNew(record.offset)) onRecord(view.apply(record));
    progress.check();
  };

  const write = async (content: Content): Promise<bigint> => {
    const offset = await store(options, content);
    const otherwise =
      "The change is stored but has not been read back yet; read the connector to see whether it counts";
    await progress.until(() => progress.read >= offset, otherwise);
    return offset;
  };

  /** Writes a copy of the current definition until it is the newest record of its key. */
  const keep = async (name: string): Promise<void> => {
    const key = `${KINDS.definition}:${name}`;
    for (let current = view.current(name); current?.kept === false; current = view.current(name)) {
      await write({ key, value: current.definition, headers: [versionHeader(current.version)] });
    }
  };

  return { view, progress, onRecords, write, keep };
};

type Journal = ReturnType<typeof createJournal>;

const changes = ({ view, write, keep }: Journal): Pick<ConnectorLog, "define" | "fail" | "noteTopic"> => {
  const noteTopic = async (name: string, topic: string, isRead: boolean): Promise<void> => {
    await write({ key: `${KINDS.topic}:${name}/${topic}`, value: isRead ? {} : undefined });
  };
  return {
    define: async (name, definition, seen) => {
      const key = `${KINDS.definition}:${name}`;
      const offset = await write({ key, value: definition, headers: [seenHeader(seen)] });
      if (view.wasRejected(offset)) {
        await keep(name);
        return false;
      }
      if (definition === undefined) {
        await write({ key: `${KINDS.failure}:${name}`, value: undefined });
        for (const topic of [...view.topics(name)]) await noteTopic(name, topic, false);
      }
      return true;
    },
    fail: async (name, failure) => {
      await write({ key: `${KINDS.failure}:${name}`, value: failure });
    },
    noteTopic,
  };
};

/** Without compaction, retention deletes old definitions, and a connector that was not changed for a long time is lost. */
const notCompacted = (topic: string): GatewayError =>
  new GatewayError("SETTINGS_INVALID", {
    message:
      `Kafka will delete connectors: the topic ${topic} exists without cleanup.policy=compact; ` +
      `set it: kafka-configs.sh --alter --topic ${topic} --add-config cleanup.policy=compact`,
  });

export const createConnectorLog = (options: ConnectorLogOptions): ConnectorLog => {
  const { broker, topic, clock, onError } = options;
  let subscription: Subscription | undefined;
  /** undefined until the log is open. */
  let listener: ((name: string) => void) | undefined;
  let closed = false;
  const journal = createJournal(options, (changed) => {
    if (changed !== undefined) listener?.(changed);
  });
  const { view, progress, write } = journal;

  const latest = async (): Promise<bigint> => {
    await write({ key: KINDS.barrier, value: {} });
    return progress.read;
  };

  const catchUp = async (): Promise<void> => {
    const { compacted } = await broker.ensureTopic({ name: topic, partitions: 1, compacted: true });
    if (compacted === false) onError(notCompacted(topic));
    subscription ??= await broker.subscribe(
      { topics: [topic], from: "earliest" },
      { onRecords: journal.onRecords, onError },
    );
    await latest();
    for (const name of view.unkept) await journal.keep(name);
  };

  const open = async (onChange: (name: string) => void): Promise<void> => {
    while (!closed && listener === undefined) {
      try {
        await catchUp();
        listener = onChange;
        progress.check();
      } catch (error) {
        onError(asGatewayError(error));
        await pause(clock, AGAIN_MS);
      }
    }
  };
  const opened = (): Promise<void> =>
    progress.until(() => listener !== undefined, "The connectors' topic has not been read yet; try again");

  return {
    open,
    opened,
    latest: async () => {
      await opened();
      return latest();
    },
    get names() {
      return view.names;
    },
    definition: (name) => view.definition(name),
    failure: (name) => view.failure(name),
    topics: (name) => view.topics(name),
    ...changes(journal),
    close: async () => {
      closed = true;
      await subscription?.close();
    },
  };
};

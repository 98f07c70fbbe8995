/**
 * What is known of all connectors, kept as records of a compacted topic that every pod reads from its beginning: the
 * definitions and target states (written when an operator asks for a change), the failures of tasks, and the topics that
 * have been read.
 *
 * How two pods change one connector at the same time:
 * - The order of the log decides. A definition has a version, the offset of its record.
 * - Before a change is decided, the pod reads the log to its end (`latest`: it writes a barrier and waits until it has
 *   read it). The offset up to which it has read, `seen`, is a header of the record that it then writes.
 * - Every reader takes a definition only if nothing newer was taken between what its writer had seen and the record:
 *   `seen` is not lower than the version that holds. So the first of two changes holds on all pods, and the writer of the
 *   second one finds out when it reads its own record back (`define` resolves with false).
 * - The topic is compacted: of each key only the newest record is sure to stay, and that is now the rejected one. Its
 *   writer therefore writes a copy of what holds, with a `version` header: the same definition, no change. It repeats
 *   this until nothing was taken in between. A pod that starts makes up for a writer that died before that.
 * - Deletions are definitions too, as records without a value. Records of earlier releases have no `seen` and are always
 *   taken, as those take every record.
 */
import type { Broker, ConsumedRecord, RecordHeader, Subscription } from "../../broker/broker.ts";
import { asGatewayError, GatewayError } from "../../errors.ts";
import { pause, type Clock } from "../../lib/clock.ts";
import { createProgress, createView, KINDS, seenHeader, versionHeader } from "./connector-log-view.ts";
import type { Definition, Failure } from "./records.ts";

export interface ConnectorLog {
  /**
   * Reads the log, and resolves when everything that was written before is known. Tries again while the broker is away.
   * From then on it calls `onChange` with the name of each connector that has changed.
   */
  open(onChange: (name: string) => void): Promise<void>;
  /** Resolves once `open` has. Rejects with BROKER_UNAVAILABLE when that takes longer than a client should wait. */
  opened(): Promise<void>;
  /** Resolves once everything is known that is in the log now, with what a change that is decided then has seen. */
  latest(): Promise<bigint>;
  readonly names: readonly string[];
  definition(name: string): Definition | undefined;
  failure(name: string): Failure | undefined;
  /** Topics that the connector has read. */
  topics(name: string): ReadonlySet<string>;
  /**
   * Resolves when the change is stored and known here; false: another one came first, and this one is void. undefined
   * forgets the connector. `seen`: of `latest`. Rejects with BROKER_UNAVAILABLE.
   */
  define(name: string, definition: Definition | undefined, seen: bigint): Promise<boolean>;
  fail(name: string, failure: Failure): Promise<void>;
  /** The connector has read a topic, or (false) that is to be forgotten. */
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

/** The log as it is read and written, without what a process does with it. */
const createJournal = (options: ConnectorLogOptions, onRecord: (changed: string | undefined) => void) => {
  const view = createView();
  const progress = createProgress(options.clock);

  const onRecords = (records: readonly ConsumedRecord[]): void => {
    for (const record of records) if (progress.isNew(record.offset)) onRecord(view.apply(record));
    progress.check();
  };

  const write = async (content: Content): Promise<bigint> => {
    const offset = await store(options, content);
    const otherwise = "The change is stored, but has not been read back yet";
    await progress.until(() => progress.read >= offset, otherwise);
    return offset;
  };

  /** Makes what holds the newest record of its key again. */
  const keep = async (name: string): Promise<void> => {
    const key = `${KINDS.definition}:${name}`;
    for (let held = view.standing(name); held?.kept === false; held = view.standing(name)) {
      await write({ key, value: held.definition, headers: [versionHeader(held.version)] });
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

/** Kafka deletes old definitions of such a topic, and connectors that nobody has changed for long are gone at a start. */
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
    progress.until(() => listener !== undefined, "The connectors have not been read yet");

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

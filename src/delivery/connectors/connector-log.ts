/**
 * What is known of all connectors, kept as records of a compacted topic that every pod reads from its beginning: the
 * definitions and target states (written when an operator asks for a change), and the failures of tasks.
 */
import type { Broker, ConsumedRecord, Subscription } from "../../broker/broker.ts";
import { asGatewayError, GatewayError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";
import { failureSchema, definitionSchema, type Definition, type Failure } from "./records.ts";

export interface ConnectorLog {
  /** Resolves once everything that was written before is known. Goes on trying while the broker is away. */
  open(): Promise<void>;
  /** Resolves once `open` has. Rejects with BROKER_UNAVAILABLE when that takes longer than a client should wait. */
  opened(): Promise<void>;
  readonly names: readonly string[];
  definition(name: string): Definition | undefined;
  failure(name: string): Failure | undefined;
  /** Resolves when the change is stored and known here. undefined forgets the connector. Rejects with BROKER_UNAVAILABLE. */
  define(name: string, definition: Definition | undefined): Promise<void>;
  fail(name: string, failure: Failure): Promise<void>;
  close(): Promise<void>;
}

export interface ConnectorLogOptions {
  readonly broker: Broker;
  readonly topic: string;
  readonly clock: Clock;
  /** Something is new about a connector; not called before `open` has resolved. */
  readonly onChange: (name: string) => void;
  readonly onError: (error: GatewayError) => void;
}

/** What a record is about, before the colon of its key. */
const DEFINITION = "connector";
const FAILURE = "failure";
/** A record that says nothing: whoever reads it back has read all before it. */
const BARRIER = "barrier";

/** Longest wait of a client, for a record of its to come back or for the topic to be read. */
const PATIENCE_MS = 10_000;
const AGAIN_MS = 2000;

const parsed = (value: Buffer): unknown => {
  try {
    return JSON.parse(value.toString("utf8"));
  } catch {
    return undefined;
  }
};

/** The newest of every key; what can't be read is as if it weren't there. */
const createView = () => {
  const definitions = new Map<string, Definition>();
  const failures = new Map<string, Failure>();
  const note = <T>(map: Map<string, T>, name: string, value: T | undefined): void => {
    if (value === undefined) map.delete(name);
    else map.set(name, value);
  };
  /** Returns the name of the connector that the record is about. */
  const apply = ({ key, value }: ConsumedRecord): string | undefined => {
    const [, kind, name] = /^(\w+):(.*)$/s.exec(key?.toString("utf8") ?? "") ?? [];
    if (name === undefined) return undefined;
    const content = value === null ? undefined : parsed(value);
    if (kind === DEFINITION) note(definitions, name, definitionSchema.safeParse(content).data);
    else if (kind === FAILURE) note(failures, name, failureSchema.safeParse(content).data);
    else return undefined;
    return name;
  };
  return { definitions, failures, apply };
};

/** How far the topic has been read, and promises for positions in it. */
const createProgress = (clock: Clock) => {
  const waiters = new Set<() => void>();
  let next = 0n;
  const until = (reached: () => boolean, otherwise: string): Promise<void> =>
    new Promise((resolve, reject) => {
      const check = (): void => {
        if (!reached()) return;
        waiters.delete(check);
        cancel();
        resolve();
      };
      const cancel = clock.after(PATIENCE_MS, () => {
        waiters.delete(check);
        reject(new GatewayError("BROKER_UNAVAILABLE", { message: otherwise }));
      });
      waiters.add(check);
      check();
    });
  return {
    until,
    check: () => {
      for (const waiter of waiters) waiter();
    },
    /** false: it has been read before, by a reader that had to begin anew. */
    isNew: (offset: bigint) => {
      if (offset < next) return false;
      next = offset + 1n;
      return true;
    },
    hasRead: (offset: bigint) => offset < next,
  };
};

/** Returns the offset of the stored record. */
const store = async (
  { broker, topic, clock }: Pick<ConnectorLogOptions, "broker" | "topic" | "clock">,
  key: string,
  content: unknown,
): Promise<bigint> => {
  const value = content === undefined ? null : Buffer.from(JSON.stringify(content));
  const record = { key: Buffer.from(key), value, headers: [], timestamp: clock.now(), partition: 0 };
  const [outcome] = await broker.append(topic, [record]);
  if (outcome?.status !== "stored") throw outcome?.error ?? new GatewayError("BROKER_UNAVAILABLE");
  return outcome.offset;
};

export const createConnectorLog = (options: ConnectorLogOptions): ConnectorLog => {
  const { broker, topic, clock, onChange, onError } = options;
  const view = createView();
  const progress = createProgress(clock);
  let subscription: Subscription | undefined;
  let isOpen = false;
  let closed = false;

  const onRecords = (records: readonly ConsumedRecord[]): void => {
    for (const record of records.filter(({ offset }) => progress.isNew(offset))) {
      const name = view.apply(record);
      if (isOpen && name !== undefined) onChange(name);
    }
    progress.check();
  };

  const write = async (key: string, content: unknown): Promise<void> => {
    const offset = await store(options, key, content);
    await progress.until(
      () => progress.hasRead(offset),
      "The change is stored, but has not been read back yet",
    );
  };

  const catchUp = async (): Promise<void> => {
    await broker.ensureTopic({ name: topic, partitions: 1, compacted: true });
    subscription ??= await broker.subscribe({ topics: [topic], from: "earliest" }, { onRecords, onError });
    await write(BARRIER, {});
  };

  const open = async (): Promise<void> => {
    while (!closed && !isOpen) {
      try {
        await catchUp();
        isOpen = true;
        progress.check();
      } catch (error) {
        onError(asGatewayError(error));
        await new Promise<void>((resolve) => clock.after(AGAIN_MS, resolve));
      }
    }
  };

  return {
    open,
    opened: () => progress.until(() => isOpen, "The connectors have not been read yet"),
    get names() {
      return [...view.definitions.keys()];
    },
    definition: (name) => view.definitions.get(name),
    failure: (name) => view.failures.get(name),
    define: async (name, definition) => {
      await write(`${DEFINITION}:${name}`, definition);
      if (definition === undefined) await write(`${FAILURE}:${name}`, undefined);
    },
    fail: (name, failure) => write(`${FAILURE}:${name}`, failure),
    close: async () => {
      closed = true;
      await subscription?.close();
    },
  };
};

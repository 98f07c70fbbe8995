/**
 * The state that the records of the connectors' topic add up to. All processes read the records in the same order, so all
 * have the same state. Unknown members of a record's value are ignored, so that two versions can run together.
 */
import { z } from "zod";
import type { ConsumedRecord, RecordHeader } from "../../broker/broker.ts";
import { GatewayError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";

export const TARGETS = ["RUNNING", "PAUSED", "STOPPED"] as const;

const definitionSchema = z.object({
  /** The posted configuration, with secrets. null: the configuration is in the settings file. */
  config: z.record(z.string(), z.string()).nullable(),
  target: z.enum(TARGETS),
  /** Grows with each change that restarts the task. */
  run: z.number(),
});

const failureSchema = z.object({
  /** The failed run. The failure no longer counts for a later run. */
  run: z.number(),
  workerId: z.string(),
  trace: z.string(),
  /** Hash of the failed configuration. The failure no longer counts for another configuration. Absent in records of earlier releases. */
  config: z.string().optional(),
});

export type Target = (typeof TARGETS)[number];
export type Definition = Readonly<z.output<typeof definitionSchema>>;
export type Failure = Readonly<z.output<typeof failureSchema>>;

/** The kinds of records. A key is `<kind>:<name>`. */
export const KINDS = {
  definition: "connector",
  failure: "failure",
  topic: "topic",
  barrier: "barrier",
} as const;

/** Header: the offset up to which the writer had read when it decided on the definition. */
const SEEN = "seen";
/** Header: the offset of the definition that this record copies. */
const VERSION = "version";

const offsetHeader = (name: string, offset: bigint): RecordHeader => ({
  name,
  value: Buffer.from(String(offset)),
});

export const seenHeader = (offset: bigint): RecordHeader => offsetHeader(SEEN, offset);
export const versionHeader = (offset: bigint): RecordHeader => offsetHeader(VERSION, offset);

const offsetIn = ({ headers }: ConsumedRecord, wanted: string): bigint | undefined => {
  const value = headers.find(({ name }) => name === wanted)?.value?.toString() ?? "";
  return /^-?\d{1,19}$/.test(value) ? BigInt(value) : undefined;
};

const parsed = (value: Buffer | null): unknown => {
  if (value === null) return undefined;
  try {
    return JSON.parse(value.toString("utf8"));
  } catch {
    return undefined;
  }
};

/** The current definition of a name. */
interface CurrentDefinition {
  /** Offset of the record that defined it. */
  readonly version: bigint;
  /** undefined: the connector was deleted. */
  readonly definition: Definition | undefined;
  /** The newest record of the key has the same content, so compaction keeps it. */
  kept: boolean;
}

interface LogView {
  readonly names: readonly string[];
  definition(name: string): Definition | undefined;
  /** undefined: no definition was ever written for the name. */
  current(name: string): Readonly<CurrentDefinition> | undefined;
  failure(name: string): Failure | undefined;
  topics(name: string): ReadonlySet<string>;
  /** The definition at this offset is void, because another definition came before it. */
  wasRejected(offset: bigint): boolean;
  /** Names whose newest record is not the current definition. */
  readonly unkept: readonly string[];
  /** Returns the name of the connector that the record changes. undefined: it changes no connector. */
  apply(record: ConsumedRecord): string | undefined;
}

const NONE: ReadonlySet<string> = new Set();

const setOrDelete = <T>(map: Map<string, T>, name: string, value: T | undefined): void => {
  if (value === undefined) map.delete(name);
  else map.set(name, value);
};

/** Records that can't be parsed are ignored. */
export const createLogView = (): LogView => {
  const definitions = new Map<string, CurrentDefinition>();
  const failures = new Map<string, Failure>();
  const topics = new Map<string, Set<string>>();
  const rejected = new Set<bigint>();

  const define = (name: string, record: ConsumedRecord): boolean => {
    const current = definitions.get(name);
    const copied = offsetIn(record, VERSION);
    const seen = offsetIn(record, SEEN);
    if (current !== undefined && copied !== undefined && copied <= current.version) {
      current.kept = copied === current.version;
      return false;
    }
    if (current !== undefined && copied === undefined && seen !== undefined && seen < current.version) {
      current.kept = false;
      rejected.add(record.offset);
      return false;
    }
    const definition = definitionSchema.safeParse(parsed(record.value)).data;
    definitions.set(name, { version: copied ?? record.offset, definition, kept: true });
    return true;
  };

  const noteTopic = (name: string, topic: string, present: boolean): void => {
    const known = topics.get(name) ?? new Set();
    if (present) topics.set(name, known.add(topic));
    else known.delete(topic);
  };

  const applied = (kind: string, name: string, record: ConsumedRecord): string | undefined => {
    if (kind === KINDS.definition) return define(name, record) ? name : undefined;
    if (kind === KINDS.failure) {
      setOrDelete(failures, name, failureSchema.safeParse(parsed(record.value)).data);
      return name;
    }
    if (kind === KINDS.topic) {
      const slash = name.lastIndexOf("/");
      noteTopic(name.slice(0, slash), name.slice(slash + 1), record.value !== null);
    }
    return undefined;
  };

  return {
    get names() {
      return [...definitions].flatMap(([name, { definition }]) => (definition === undefined ? [] : [name]));
    },
    definition: (name) => definitions.get(name)?.definition,
    current: (name) => definitions.get(name),
    failure: (name) => failures.get(name),
    topics: (name) => topics.get(name) ?? NONE,
    wasRejected: (offset) => rejected.has(offset),
    get unkept() {
      return [...definitions].flatMap(([name, { kept }]) => (kept ? [] : [name]));
    },
    apply: (record) => {
      const [, kind, name] = /^(\w+):(.*)$/s.exec(record.key?.toString("utf8") ?? "") ?? [];
      return kind === undefined || name === undefined ? undefined : applied(kind, name, record);
    },
  };
};

/** Maximum time that a client waits for its record to be read back, or for the topic to be read. Milliseconds. */
const MAX_WAIT_MS = 10_000;

/** How far the topic has been read. */
interface ReadProgress {
  /** Offset of the last record that was read. -1: no record was read. */
  readonly read: bigint;
  /** Resolves when `reached` returns true. After `MAX_WAIT_MS` it rejects with BROKER_UNAVAILABLE and the message `otherwise`. */
  until(reached: () => boolean, otherwise: string): Promise<void>;
  /** Checks the waiting promises. Call it after each change. */
  check(): void;
  /** false: the record was read before, because the reader started again. */
  isNew(offset: bigint): boolean;
}

export const createReadProgress = (clock: Clock): ReadProgress => {
  const waiters = new Set<() => void>();
  let next = 0n;
  return {
    get read() {
      return next - 1n;
    },
    until: (reached, otherwise) =>
      new Promise((resolve, reject) => {
        const check = (): void => {
          if (!reached()) return;
          waiters.delete(check);
          cancel();
          resolve();
        };
        const cancel = clock.after(MAX_WAIT_MS, () => {
          waiters.delete(check);
          reject(new GatewayError("BROKER_UNAVAILABLE", { message: otherwise }));
        });
        waiters.add(check);
        check();
      }),
    check: () => {
      for (const waiter of waiters) waiter();
    },
    isNew: (offset) => {
      if (offset < next) return false;
      next = offset + 1n;
      return true;
    },
  };
};

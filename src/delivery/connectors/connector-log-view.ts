/** What the records of the connectors' topic say, read in their order: the same in every process. */
import type { ConsumedRecord, RecordHeader } from "../../broker/broker.ts";
import { GatewayError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";
import { type Definition, definitionSchema, type Failure, failureSchema } from "./records.ts";

/** What a record is about, before the colon of its key. */
export const KINDS = {
  definition: "connector",
  failure: "failure",
  topic: "topic",
  barrier: "barrier",
} as const;

/** Offset up to which the writer had read when it decided on a definition. */
const SEEN = "seen";
/** Offset of the definition of which the record is a copy. */
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

/** Of a name's definition, which may be that there is none. */
interface Standing {
  /** Offset at which it was first written. */
  readonly version: bigint;
  readonly definition: Definition | undefined;
  /** The newest record of the key says the same: a compaction keeps it. */
  kept: boolean;
}

interface View {
  readonly names: readonly string[];
  definition(name: string): Definition | undefined;
  /** undefined: nothing was ever written about it. */
  standing(name: string): Readonly<Standing> | undefined;
  failure(name: string): Failure | undefined;
  topics(name: string): ReadonlySet<string>;
  /** The definition that was written at this offset came too late. */
  wasRejected(offset: bigint): boolean;
  /** Names whose newest record is not what holds. */
  readonly unkept: readonly string[];
  /** Returns the name of the connector of which something has changed. */
  apply(record: ConsumedRecord): string | undefined;
}

const NONE: ReadonlySet<string> = new Set();

const note = <T>(map: Map<string, T>, name: string, value: T | undefined): void => {
  if (value === undefined) map.delete(name);
  else map.set(name, value);
};

/** What can't be read is as if it weren't there. */
export const createView = (): View => {
  const standings = new Map<string, Standing>();
  const failures = new Map<string, Failure>();
  const topics = new Map<string, Set<string>>();
  const rejected = new Set<bigint>();

  const define = (name: string, record: ConsumedRecord): boolean => {
    const current = standings.get(name);
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
    standings.set(name, { version: copied ?? record.offset, definition, kept: true });
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
      note(failures, name, failureSchema.safeParse(parsed(record.value)).data);
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
      return [...standings].flatMap(([name, { definition }]) => (definition === undefined ? [] : [name]));
    },
    definition: (name) => standings.get(name)?.definition,
    standing: (name) => standings.get(name),
    failure: (name) => failures.get(name),
    topics: (name) => topics.get(name) ?? NONE,
    wasRejected: (offset) => rejected.has(offset),
    get unkept() {
      return [...standings].flatMap(([name, { kept }]) => (kept ? [] : [name]));
    },
    apply: (record) => {
      const [, kind, name] = /^(\w+):(.*)$/s.exec(record.key?.toString("utf8") ?? "") ?? [];
      return kind === undefined || name === undefined ? undefined : applied(kind, name, record);
    },
  };
};

/** Longest wait of a client, for a record of its to come back or for the topic to be read. */
const PATIENCE_MS = 10_000;

/** How far the topic has been read, and promises for positions in it. */
interface Progress {
  /** Offset of the last record that was read; -1: none was. */
  readonly read: bigint;
  /** Rejects with BROKER_UNAVAILABLE, and these words, when it takes longer than a client should wait. */
  until(reached: () => boolean, otherwise: string): Promise<void>;
  /** To be called when something has changed. */
  check(): void;
  /** false: it has been read before, by a reader that had to begin anew. */
  isNew(offset: bigint): boolean;
}

export const createProgress = (clock: Clock): Progress => {
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
        const cancel = clock.after(PATIENCE_MS, () => {
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

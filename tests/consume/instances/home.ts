/** Consumer instances in a home on a broker in memory, and calls of their clients. */
import { createMemoryBroker } from "../../../src/broker/memory/memory-broker.ts";
import type { BrokerRecord } from "../../../src/broker/broker.ts";
import {
  createInstances,
  type Instances,
  type InstancesOptions,
} from "../../../src/consume/instances/instances.ts";
import type { Arguments, NamedTopic, Operation } from "../../../src/consume/instances/requests.ts";
import { createReaders, type ReaderApi, type Readers } from "../../../src/consume/readers.ts";
import type { SlotLog, SlotRecord } from "../../../src/home/contract.ts";
import type { PeerAnswer } from "../../../src/home/peers/peers.ts";
import { type Clock, systemClock } from "../../../src/lib/clock.ts";
import { createMemoryBudget } from "../../../src/lib/memory-budget.ts";

const SLOT = 3;
const GROUP = "g";
const OWNER = "account ann";

export const named = (topic: string): NamedTopic => ({ name: `the-${topic}`, station: topic, topic });
export const part = (topic: string, partition: number) => ({ ...named(topic), partition });

/** A log that outlives the home. */
export const createLog = () => {
  const living = new Map<string, Buffer>();
  const log: SlotLog = {
    put: (records: readonly SlotRecord[]) => {
      for (const { name, value } of records)
        if (value === null) living.delete(name);
        else living.set(name, value);
      return Promise.resolve();
    },
  };
  return { living, log };
};

export interface Sent {
  readonly status: number;
  readonly type: string | undefined;
  readonly body: unknown;
  readonly ended: PeerAnswer["ended"];
}

export interface TestRecord {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly value: unknown;
}

export interface TestHome {
  readonly readers: Readers;
  readonly instances: Instances;
  readonly answers: [number, boolean][];
  readonly faults: unknown[];
  call<O extends Operation>(
    operation: O,
    given: Arguments<O>,
    from?: { instance?: string; owner?: string; group?: string; readable?: string[][]; signal?: AbortSignal },
  ): Promise<Sent>;
  /** Creates and subscribes an instance of the format json that starts at the first record. */
  reader(instance: string, topics: readonly string[], settings?: object): Promise<void>;
  /** Reads, and says how the answer ended. */
  read(
    instance: string,
    options?: { timeoutMs?: number; maxBytes?: number; whole?: boolean },
  ): Promise<TestRecord[]>;
  committed(topic: string): Promise<Record<number, number>>;
  /** As a first call of consume/batch. */
  claimBatch(): Promise<unknown>;
  close(reason?: "handed-over" | "lost"): Promise<void>;
}

export interface HomeOptions extends Partial<InstancesOptions> {
  readonly log?: ReturnType<typeof createLog>;
  readonly onBroker?: Partial<ReturnType<typeof createMemoryBroker>>;
}

export const createBroker = (clock: Clock = systemClock) => createMemoryBroker({ clock });

export const append = async (
  broker: ReturnType<typeof createMemoryBroker>,
  topic: string,
  partition: number,
  values: readonly unknown[],
): Promise<void> => {
  const records = values.map((value): BrokerRecord => {
    const bytes = Buffer.from(JSON.stringify(value));
    return { key: null, value: bytes, headers: [], timestamp: 1000, partition };
  });
  await broker.append(topic, records);
};

export const openHome = async (
  broker: ReturnType<typeof createMemoryBroker>,
  { log = createLog(), clock = systemClock, onBroker = {}, ...options }: HomeOptions = {},
): Promise<TestHome> => {
  const answers: [number, boolean][] = [];
  const faults: unknown[] = [];
  const onError = (fault: unknown): void => {
    faults.push(fault);
  };
  const used = { ...broker, ...onBroker };
  const instances = createInstances({
    broker: used,
    clock,
    memory: createMemoryBudget(1 << 26),
    stations: async () => (await broker.topics()).map(({ name }) => ({ name, topic: name })),
    maxInstances: 100,
    maxPerPrincipal: 50,
    consumerTimeout: () => 300_000,
    maxBytes: () => 1 << 24,
    decoder: () => undefined,
    groupBuffer: 1 << 23,
    onCommitFailed: () => undefined,
    onAnswer: (count, whole) => answers.push([count, whole]),
    onError,
    ...options,
  });
  const batch: ReaderApi = {
    path: "/batch",
    serve: ({ group }) => {
      group.claim({ kind: "batch", owner: OWNER, idleSince: undefined, end: () => undefined });
      return Promise.resolve({ status: 200, headers: {}, body: Buffer.alloc(0), ended: () => undefined });
    },
    closed: () => Promise.resolve(),
  };
  const readers = createReaders({
    broker: used,
    ...{ clock, onError },
    sessionTimeout: 10_000,
    groupIdle: 60_000,
    maxGroups: 10,
    holds: () => true,
    isMember: () => true,
    apis: [instances, batch],
  });
  await readers.open(SLOT, log.log, log.living);

  const call: TestHome["call"] = async (operation, given, from = {}) => {
    const { instance = "i", owner = OWNER, group = GROUP, readable = [["*"]] } = from;
    const body = Buffer.from(JSON.stringify({ instance, owner, group, readable, arguments: given }));
    const signal = from.signal ?? new AbortController().signal;
    const answer = await readers.serve(SLOT, { path: `/v2/${operation}`, body, waitMs: 0, signal });
    const text = answer.body.toString();
    return {
      status: answer.status,
      type: answer.headers["Content-Type"],
      body: text === "" ? undefined : (JSON.parse(text) as unknown),
      ended: answer.ended,
    };
  };

  return {
    ...{ readers, instances, answers, faults, call },
    reader: async (instance, topics, settings = {}) => {
      await call("create", createArguments(settings), { instance });
      if (topics.length > 0) await call("subscribe", { topics: topics.map(named) }, { instance });
    },
    read: async (instance, { whole = true, timeoutMs = 100, maxBytes } = {}) => {
      const limit = maxBytes === undefined ? {} : { maxBytes };
      const sent = await call("records", { accept: [{ type: "t" }], timeoutMs, ...limit }, { instance });
      sent.ended(whole);
      return sent.body as TestRecord[];
    },
    committed: async (topic) =>
      Object.fromEntries(
        (await broker.committed(GROUP, topic)).map(({ partition, offset }) => [partition, Number(offset)]),
      ),
    claimBatch: () =>
      readers.serve(SLOT, {
        path: "/batch",
        body: Buffer.from(JSON.stringify({ group: GROUP })),
        waitMs: 0,
        signal: new AbortController().signal,
      }),
    close: (reason = "handed-over") => readers.close(SLOT, reason),
  };
};

export const createArguments = (settings: object = {}): Arguments<"create"> => ({
  settings: {
    format: "json",
    reset: "earliest",
    autoCommit: true,
    minBytes: 1,
    timeoutMs: 100,
    ...settings,
  },
  baseUri: "http://gw/i",
  requestId: Math.random().toString(),
});

export const valuesOf = (records: readonly TestRecord[]): unknown[] => records.map(({ value }) => value);

export interface HomesRig {
  readonly broker: ReturnType<typeof createBroker>;
  /** The newest home. */
  readonly home: TestHome;
  open(options?: HomeOptions): Promise<TestHome>;
}

/** Set-up of a test file: for each test a broker with the topics orders (two partitions) and users (one). */
export const useHomes = (): HomesRig => {
  let broker = createBroker();
  let homes: TestHome[] = [];

  beforeEach(async () => {
    homes = [];
    broker = createBroker();
    await broker.ensureTopic({ name: "orders", partitions: 2 });
    await broker.ensureTopic({ name: "users", partitions: 1 });
  });
  afterEach(async () => {
    for (const one of homes) await one.close("lost");
    await broker.close();
  });

  return {
    get broker() {
      return broker;
    },
    get home() {
      const home = homes.at(-1);
      if (home === undefined) throw new Error("the test has opened no home");
      return home;
    },
    open: async (options) => {
      const home = await openHome(broker, options);
      homes.push(home);
      return home;
    },
  };
};

/** An error with this code. */
export const refusal = (code: string) => expect.objectContaining({ code }) as Error;

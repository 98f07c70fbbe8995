/** Helpers of the suite: names, records, and a subscriber whose state can be awaited. */
import { randomUUID } from "node:crypto";
import type {
  AppendOutcome,
  Broker,
  BrokerRecord,
  ConsumedRecord,
  GroupPosition,
  StoredRecord,
  SubscribeOptions,
  Subscription,
  SubscriptionHandlers,
  TopicPartition,
  TopicSpec,
} from "../../../src/broker/broker.ts";
import { partitionId } from "../../../src/broker/partitions.ts";

export const uniqueName = (prefix: string): string => `conformance-${prefix}-${randomUUID()}`;

export const newTopic = async (broker: Broker, spec: Partial<TopicSpec> = {}): Promise<string> => {
  const name = uniqueName("topic");
  await broker.ensureTopic({ name, partitions: 1, ...spec });
  return name;
};

export const record = (value: string, given: Partial<BrokerRecord> = {}): BrokerRecord => ({
  key: null,
  value: Buffer.from(value),
  headers: [],
  timestamp: Date.now(),
  ...given,
});

/** Records `<prefix>0`, `<prefix>1`, … for one partition. */
export const numbered = (count: number, partition = 0, prefix = ""): readonly BrokerRecord[] =>
  Array.from({ length: count }, (_, index) => record(`${prefix}${index}`, { partition }));

export const storedOnly = (outcomes: readonly AppendOutcome[]): readonly StoredRecord[] =>
  outcomes.map((outcome) => {
    if (outcome.status === "failed") throw outcome.error;
    return outcome;
  });

export const store = async (
  broker: Broker,
  topic: string,
  records: readonly BrokerRecord[],
): Promise<readonly StoredRecord[]> => storedOnly(await broker.append(topic, records));

export const codes = (outcomes: readonly AppendOutcome[]): readonly string[] =>
  outcomes.map((outcome) => (outcome.status === "stored" ? "stored" : outcome.error.code));

export const valueOf = ({ value }: Pick<ConsumedRecord, "value">): string | undefined => value?.toString();

export interface Probe {
  readonly subscription: Subscription;
  /** All records so far, in the order of their arrival. */
  readonly records: readonly ConsumedRecord[];
  /** The assigned partitions. */
  readonly held: readonly TopicPartition[];
  /** The arguments of `onStart`. */
  readonly starts: readonly GroupPosition[];
  values(partition?: number): readonly (string | undefined)[];
  /** Resolves once `holds` returns true. It is checked after each call of a handler. */
  until(holds: () => boolean): Promise<void>;
  /** Removes the records so far. */
  clear(): void;
  close(): Promise<void>;
}

export type ProbeOptions = Partial<SubscribeOptions> & {
  readonly topics: readonly string[];
  /** Runs inside `onRevoked`, before it settles. */
  readonly beforeRevoked?: (probe: Probe) => Promise<void>;
  /** Runs inside `onRecords`. */
  readonly whenRecords?: (probe: Probe) => void;
};

interface Log {
  readonly starts: GroupPosition[];
  records: ConsumedRecord[];
  held: TopicPartition[];
  readonly waiting: Set<() => void>;
}

const checkAll = (log: Log): void => {
  for (const check of log.waiting) check();
};

const handlersOf = (log: Log, probe: () => Probe, options: ProbeOptions): SubscriptionHandlers => ({
  onAssigned: (partitions) => {
    log.held = [...log.held, ...partitions];
    checkAll(log);
  },
  onStart: (position) => {
    log.starts.push(position);
  },
  onRevoked: async (partitions) => {
    await options.beforeRevoked?.(probe());
    const revoked = new Set(partitions.map(partitionId));
    log.held = log.held.filter((held) => !revoked.has(partitionId(held)));
    checkAll(log);
  },
  onRecords: (records) => {
    log.records.push(...records);
    options.whenRecords?.(probe());
    checkAll(log);
  },
});

/** A subscriber that keeps the arguments of its handlers. By default it reads from the earliest record. */
export const subscribe = async (broker: Broker, options: ProbeOptions): Promise<Probe> => {
  const log: Log = { starts: [], records: [], held: [], waiting: new Set() };
  const { group, topics, from = "earliest" } = options;
  const subscription = await broker.subscribe(
    { group, topics, from },
    handlersOf(log, () => probe, options),
  );
  const probe: Probe = {
    subscription,
    get records() {
      return log.records;
    },
    get starts() {
      return log.starts;
    },
    get held() {
      return log.held;
    },
    values: (partition) =>
      log.records.filter((one) => partition === undefined || one.partition === partition).map(valueOf),
    until: (holds) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (!holds()) return;
          log.waiting.delete(check);
          resolve();
        };
        log.waiting.add(check);
        check();
      }),
    clear: () => {
      log.records = [];
    },
    close: () => subscription.close(),
  };
  return probe;
};

/** The first `count` records of a topic, read without a group, ordered by partition and offset. */
export const readBack = async (
  broker: Broker,
  topic: string,
  count: number,
): Promise<readonly ConsumedRecord[]> => {
  const reader = await subscribe(broker, { topics: [topic] });
  await reader.until(() => reader.records.length >= count);
  await reader.close();
  return [...reader.records].sort((a, b) => a.partition - b.partition || Number(a.offset - b.offset));
};

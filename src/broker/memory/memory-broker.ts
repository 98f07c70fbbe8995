/** A broker for tests, with all contracts of the port except durability. */
import { partitionId } from "../partitions.ts";
import { GatewayError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";
import type {
  Broker,
  BrokerRecord,
  ConsumedRecord,
  TopicPartition,
  TopicPartitionOffset,
} from "../broker.ts";
import { createLocalBroker } from "../local/local-broker.ts";
import { createPositions, type LocalStore, type LocalTopic, type ReadLimit } from "../local/store.ts";

interface MemoryBrokerOptions {
  /** Partitions of a topic that is created without a number of partitions. Default: 4. */
  readonly partitions?: number;
  /** Default: the system's clock. */
  readonly clock?: Clock;
}

const MAX_RECORD_BYTES = 1024 * 1024;

/** Creates a broker without topics. `open` is not needed. */
export const createMemoryBroker = ({ partitions = 4, clock }: MemoryBrokerOptions = {}): Broker =>
  createLocalBroker({
    kind: "memory",
    store: createMemoryStore(),
    partitions,
    clock,
    maxRecordBytes: () => MAX_RECORD_BYTES,
  });

const copy = (bytes: Buffer | null): Buffer | null => bytes && Buffer.from(bytes);

const consumed = (at: TopicPartitionOffset, record: BrokerRecord): ConsumedRecord => ({
  topic: at.topic,
  partition: at.partition,
  offset: at.offset,
  timestamp: record.timestamp,
  key: copy(record.key),
  value: copy(record.value),
  headers: record.headers.map(({ name, value }) => ({ name, value: copy(value) })),
});

const within = (records: readonly ConsumedRecord[], { bytes }: ReadLimit): readonly ConsumedRecord[] => {
  let sum = 0;
  const end = records.findIndex(({ value }) => (sum += value?.length ?? 0) > bytes);
  return end === -1 ? records : records.slice(0, Math.max(1, end));
};

/** Creates an empty store that is open until `close`. */
const createMemoryStore = (): LocalStore => {
  const topics = new Map<string, LocalTopic>();
  const partitions = new Map<string, ConsumedRecord[]>();
  const positions = createPositions();
  let closed = false;

  const recordsOf = ({ topic, partition }: TopicPartition): ConsumedRecord[] => {
    const name = partitionId({ topic, partition });
    const records = partitions.get(name) ?? [];
    partitions.set(name, records);
    return records;
  };

  const whileOpen = <T>(work: () => T): Promise<T> =>
    closed ? Promise.reject(new GatewayError("BROKER_UNAVAILABLE")) : Promise.resolve(work());

  return {
    open: () => Promise.resolve(),
    close: () => {
      closed = true;
      return Promise.resolve();
    },
    check: () => whileOpen(() => undefined),
    topics: () => topics,
    createTopic: (topic) => {
      topics.set(topic.name, topic);
      return Promise.resolve();
    },
    retain: () => undefined,
    append: (to, records) =>
      whileOpen(() => {
        const stored = recordsOf(to);
        const first = BigInt(stored.length);
        for (const record of records) stored.push(consumed({ ...to, offset: BigInt(stored.length) }, record));
        return first;
      }),
    ends: (of) => ({ low: 0n, high: BigInt(recordsOf(of).length) }),
    read: (from, limit) => {
      const start = Number(from.offset);
      return within(recordsOf(from).slice(start, start + limit.records), limit);
    },
    positions: positions.of,
    savePositions: (group, saved) => {
      positions.set(group, saved);
      return Promise.resolve();
    },
    deletePositions: (group) => {
      positions.delete(group);
      return Promise.resolve();
    },
  };
};

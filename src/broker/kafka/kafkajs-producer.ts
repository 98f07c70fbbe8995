/** A producer on kafkajs. */
import kafkajs, { type IHeaders, type Kafka, type Message, type Producer as KafkaJsProducer } from "kafkajs";
import type { BrokerRecord, RecordHeader } from "../broker.ts";
import { type KafkaOptions, settledWithin } from "./options.ts";
import {
  failedBatch,
  faultOfCode,
  type PartitionBatch,
  type Producer,
  type SendFault,
  type SendResult,
} from "./producer.ts";

const ALL_REPLICAS = -1;
/** Milliseconds after the timeouts of kafkajs until a send counts as failed. Normally kafkajs has settled it before. */
const GRACE = 500;

const TYPES = {
  none: kafkajs.CompressionTypes.None,
  gzip: kafkajs.CompressionTypes.GZIP,
  snappy: kafkajs.CompressionTypes.Snappy,
  lz4: kafkajs.CompressionTypes.LZ4,
  zstd: kafkajs.CompressionTypes.ZSTD,
};

/** One kafkajs producer, and its sends in flight. */
interface ProducerSession {
  readonly producer: Promise<KafkaJsProducer>;
  readonly sends: Set<Promise<SendResult>>;
}

const connect = async (kafka: Kafka): Promise<KafkaJsProducer> => {
  const producer = kafka.producer({
    allowAutoTopicCreation: false,
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    retry: { retries: 0 },
  });
  await producer.connect();
  return producer;
};

const end = async ({ producer, sends }: ProducerSession): Promise<void> => {
  const connected = await producer.catch(() => undefined);
  // A send in flight would connect again after a disconnect, and that connection would stay open.
  await Promise.allSettled(sends);
  await connected?.disconnect().catch(() => undefined);
};

const sendOne = async (
  producer: KafkaJsProducer,
  topic: string,
  { partition, records }: PartitionBatch,
  { requestTimeout, compression }: KafkaOptions,
): Promise<SendResult> => {
  try {
    const [answer] = await producer.send({
      topic,
      acks: ALL_REPLICAS,
      timeout: requestTimeout,
      compression: TYPES[compression],
      messages: records.map((record) => messageOf(record, partition)),
    });
    // kafkajs sends nothing and reports nothing for a partition that the topic no longer has.
    if (answer?.baseOffset === undefined)
      return failedBatch("moved", "kafkajs has no leader for the partition");
    const appended = Number(answer.logAppendTime ?? -1);
    const timestamp = appended < 0 ? undefined : appended;
    return { status: "stored", baseOffset: BigInt(answer.baseOffset), timestamp };
  } catch (error) {
    return failedBatch(faultOf(error), error);
  }
};

/**
 * Makes one kafkajs call per partition: if one partition of a call fails, kafkajs reports no result for the others. Never
 * idempotent: kafkajs gives the sequence numbers of a batch with an unknown outcome to the next batch too. The broker then
 * takes the next batch for a duplicate, and acknowledges it without storing it.
 */
export const createKafkaJsProducer = (kafka: Kafka, options: KafkaOptions): Producer => {
  const { connectTimeout, requestTimeout } = options;
  let session: ProducerSession | undefined;

  /** Drops a failed producer. The next send creates a producer without state about lost brokers or deleted topics. */
  const drop = (dropped: ProducerSession): void => {
    if (session !== dropped) return;
    session = undefined;
    void end(dropped);
  };

  const sendWithin = ({ sends }: ProducerSession, sending: Promise<SendResult>): Promise<SendResult> => {
    sends.add(sending);
    void sending.finally(() => sends.delete(sending));
    return settledWithin(requestTimeout + GRACE, sending).catch((overdue: unknown) =>
      failedBatch("ambiguous", overdue),
    );
  };

  return {
    send: async (topic, batches) => {
      const current = (session ??= { producer: connect(kafka), sends: new Set() });
      try {
        const producer = await settledWithin(connectTimeout + requestTimeout, current.producer);
        const sent = batches.map((batch) => sendWithin(current, sendOne(producer, topic, batch, options)));
        const results = await Promise.all(sent);
        if (results.some(isLost)) drop(current);
        return results;
      } catch (error) {
        drop(current);
        return batches.map(() => failedBatch("unavailable", error));
      }
    },
    abandon: () => undefined,
    close: async () => {
      if (session !== undefined) await settledWithin(requestTimeout, end(session)).catch(() => undefined);
    },
  };
};

const isLost = (result: SendResult): boolean =>
  result.status === "failed" && ["unavailable", "moved", "ambiguous"].includes(result.fault);

const messageOf = ({ key, value, headers, timestamp }: BrokerRecord, partition: number): Message => ({
  key,
  value,
  partition,
  timestamp: String(timestamp),
  headers: { all: HeaderList.from(headers) } as unknown as IHeaders,
});

const EMPTY = Buffer.alloc(0);

/**
 * Keeps all headers of a record in their order. kafkajs 2.2.4 groups headers by name, and calls `map` on the values of a
 * name to get `{key, value}` pairs. This list is passed as the values of one name, and its `map` returns all headers with
 * their own names. kafkajs also reads the length of a value before it checks for null, which throws (its issue 1789). So
 * the first read of a null value returns an empty buffer, which has the same encoded size.
 */
class HeaderList extends Array<RecordHeader> {
  override map<T>(): T[] {
    return Array.from(this, ({ name, value }) => {
      if (value !== null) return { key: name, value } as T;
      let reads = 0;
      return Object.defineProperty({ key: name, value }, "value", {
        get: () => (reads++ === 0 ? EMPTY : null),
      }) as T;
    });
  }
}

/** Errors that kafkajs throws before it sends. */
const UNSENT = new Set([
  "KafkaJSBrokerNotFound",
  "KafkaJSMetadataNotLoaded",
  "KafkaJSTopicMetadataNotLoaded",
  "KafkaJSStaleTopicMetadataAssignment",
]);

interface KafkaJsError extends Error {
  readonly type?: string;
}

const faultOf = (error: unknown): SendFault => {
  const { name, type, cause } = error as KafkaJsError;
  if (name === "KafkaJSNumberOfRetriesExceeded" && cause instanceof Error) return faultOf(cause);
  // If a connection breaks, kafkajs reconnects and requests metadata. An error of that request replaces the error of the
  // send, so the records may be stored.
  if (type === undefined || type === "LEADER_NOT_AVAILABLE")
    return UNSENT.has(name) ? "unavailable" : "ambiguous";
  // A leader may answer NOT_LEADER_FOR_PARTITION after it has appended the batch. The answer then has an offset, but kafkajs
  // doesn't return it (see `resultOf` in platformatic-producer.ts).
  return type === "NOT_LEADER_FOR_PARTITION" ? "ambiguous" : faultOfCode(type);
};

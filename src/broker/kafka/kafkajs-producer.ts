/** Writing with kafkajs. */
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
/** Beyond the client's own timeouts, before it is given up on: it should settle by itself. */
const GRACE = 500;

const TYPES = {
  none: kafkajs.CompressionTypes.None,
  gzip: kafkajs.CompressionTypes.GZIP,
  snappy: kafkajs.CompressionTypes.Snappy,
  lz4: kafkajs.CompressionTypes.LZ4,
  zstd: kafkajs.CompressionTypes.ZSTD,
};

/** One producer of kafkajs, and what is under way with it. */
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
  // A send that is under way would connect once more, and nobody would close that.
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
    // kafkajs sends nothing, and says nothing, for a partition that the topic no longer has.
    if (answer?.baseOffset === undefined)
      return failedBatch("moved", "kafkajs knows no leader of the partition");
    const appended = Number(answer.logAppendTime ?? -1);
    const timestamp = appended < 0 ? undefined : appended;
    return { status: "stored", baseOffset: BigInt(answer.baseOffset), timestamp };
  } catch (error) {
    return failedBatch(faultOf(error), error);
  }
};

/**
 * One call of kafkajs for each partition: in a call for several it would tell of none once one of them fails. Never
 * idempotent: kafkajs gives the sequence numbers of a batch whose end isn't known to the next one, which the broker then
 * takes for the same batch, and acknowledges without storing it.
 */
export const createKafkaJsProducer = (kafka: Kafka, options: KafkaOptions): Producer => {
  const { connectTimeout, requestTimeout } = options;
  let session: ProducerSession | undefined;

  /** A new one needs no way back from whatever has happened to the old: a broker gone, or a topic that it still asks for. */
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
 * All headers of a record, in their order. kafkajs 2.2.4 groups headers by name, in the order of an object's keys. It asks
 * for the values of a name by `map`, and takes what that gives as `{key, value}`: so the values of one name are all
 * headers, each with its own. It asks for the length of a value before it looks whether the value is null, which throws
 * (its issue 1789): a null is shown as empty the first time, and an empty value takes as many bytes.
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

/** Where kafkajs never got as far as sending. */
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
  // After a broken connection kafkajs connects and asks for metadata at once, and what fails there hides what was before.
  if (type === undefined || type === "LEADER_NOT_AVAILABLE")
    return UNSENT.has(name) ? "unavailable" : "ambiguous";
  // The one answer that may follow an append too, and kafkajs keeps the offset that would tell (platformatic-producer.ts).
  return type === "NOT_LEADER_FOR_PARTITION" ? "ambiguous" : faultOfCode(type);
};

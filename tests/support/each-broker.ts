/** Runs an end-to-end suite twice: on the embedded log, and on a real Kafka, whose topics kafkajs reads. */
import { setTimeout as sleep } from "node:timers/promises";
import { Kafka, logLevel } from "kafkajs";
import { describeKafka, uniqueName } from "./kafka/describe.ts";
import { signIn, type Gateway } from "./gateway.ts";

export interface StoredEvent {
  readonly partition: number;
  readonly offset: string;
  readonly key: string | null;
  readonly value: Buffer;
  /** The values of a repeated name are joined by commas. */
  readonly headers: Readonly<Record<string, string>>;
}

export interface BrokerUnderTest {
  readonly kind: "embedded" | "kafka";
  /** The `broker` part of the gateway's settings. */
  settings(): Record<string, unknown>;
  /** All stored events of the station. The topic has the name of the station. */
  readAll(gateway: Gateway, station: string): Promise<readonly StoredEvent[]>;
}

interface ConsumedMessage {
  readonly message: string;
  readonly headers: Record<string, string>;
}

const consumeBatch = async (
  gateway: Gateway,
  token: string,
  station: string,
  group: string,
): Promise<readonly ConsumedMessage[]> => {
  const answer = await fetch(`${gateway.url}/stations/${station}/consume/batch`, {
    method: "POST",
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({
      consumer_name: "reader",
      consumer_group: group,
      batch_size: 5000,
      batch_max_wait_time_ms: 500,
      decode: "none",
    }),
  });
  if (answer.status !== 200) throw new Error(`consume was answered ${answer.status}: ${await answer.text()}`);
  return (await answer.json()) as ConsumedMessage[];
};

/** Reads the embedded log through the gateway, until a batch is empty. */
const readEmbedded = async (gateway: Gateway, station: string): Promise<readonly StoredEvent[]> => {
  const token = await signIn(gateway);
  const group = uniqueName("reader");
  const events: StoredEvent[] = [];
  for (;;) {
    const messages = await consumeBatch(gateway, token, station, group);
    if (messages.length === 0) return events;
    for (const { message, headers } of messages) {
      const { "stationgate-encoding": encoding, ...rest } = headers;
      const value = Buffer.from(message, encoding === "base64" ? "base64" : "utf8");
      events.push({ partition: -1, offset: "", key: null, value, headers: rest });
    }
  }
};

const headersOf = (headers: object | undefined): Record<string, string> =>
  Object.fromEntries(Object.entries(headers ?? {}).map(([name, value]) => [name, String(value)]));

/** Repeats the task while a new topic has no leader yet. */
const led = async <T>(ask: () => Promise<T>, tries = 20): Promise<T> =>
  ask().catch((error: unknown) => {
    if (tries === 0 || !String(error).includes("not the leader")) throw error;
    return sleep(100).then(() => led(ask, tries - 1));
  });

/** Reads a Kafka topic from its beginning to its current end. */
export const readTopic = async (
  brokers: readonly string[],
  topic: string,
): Promise<readonly StoredEvent[]> => {
  const kafka = new Kafka({ brokers: [...brokers], logLevel: logLevel.NOTHING });
  const admin = kafka.admin();
  await admin.connect();
  const watermarks = await led(() => admin.fetchTopicOffsets(topic));
  await admin.disconnect();
  const missing = new Map(
    watermarks
      .filter(({ high, low }) => BigInt(high) > BigInt(low))
      .map(({ partition, high }) => [partition, BigInt(high) - 1n]),
  );
  const events: StoredEvent[] = [];
  if (missing.size === 0) return events;
  // kafkajs waits for its last fetch before it disconnects.
  const consumer = kafka.consumer({ groupId: uniqueName("read-back"), maxWaitTimeInMs: 100 });
  try {
    await consumer.connect();
    await consumer.subscribe({ topics: [topic], fromBeginning: true });
    await new Promise<void>((resolve, reject) => {
      const eachMessage = ({ partition, message }: EachMessage): Promise<void> => {
        const { offset, key, value, headers } = message;
        events.push({
          partition,
          offset,
          key: key?.toString() ?? null,
          value: value ?? Buffer.alloc(0),
          headers: headersOf(headers),
        });
        const last = missing.get(partition);
        if (last !== undefined && BigInt(offset) >= last) missing.delete(partition);
        if (missing.size === 0) resolve();
        return Promise.resolve();
      };
      consumer.on(consumer.events.CRASH, ({ payload }) => {
        if (!payload.restart) reject(payload.error);
      });
      consumer.run({ eachMessage }).catch(reject);
    });
  } finally {
    await consumer.disconnect();
  }
  return events;
};

interface EachMessage {
  readonly partition: number;
  readonly message: {
    readonly offset: string;
    readonly key: Buffer | null;
    readonly value: Buffer | null;
    readonly headers?: object;
  };
}

/** Runs the suite on both brokers. A suite with connectors uses `describeKafkaApart`. */
export const describeOnEachBroker = (
  name: string,
  suite: (broker: BrokerUnderTest) => void,
  onKafka: typeof describeKafka = describeKafka,
): void => {
  describe(`${name}, embedded log`, () => {
    suite({
      kind: "embedded",
      settings: () => ({ type: "embedded", embedded: { dir: "./data" } }),
      readAll: readEmbedded,
    });
  });
  onKafka(`${name}, Kafka`, (kafka) => {
    suite({
      kind: "kafka",
      settings: () => ({ type: "kafka", kafka: { brokers: [...kafka.brokers] } }),
      readAll: (_gateway, station) => readTopic(kafka.brokers, station),
    });
  });
};

/** The Kafka broker of a benchmark, and direct access to it without the gateway. */
import { Kafka, logLevel } from "kafkajs";
import { prepareKafka, startKafka } from "../../tests/support/kafka/server.ts";
import { eventually, settled } from "./settled.ts";

export interface BenchKafka {
  readonly broker: string;
  readonly pid: number;
  /** `partitions`: 6 if it is not given. */
  createTopic(topic: string, partitions?: number): Promise<void>;
  /** Number of records in the topic. Resolves when the number no longer changes. */
  logEnd(topic: string): Promise<number>;
  /** Writes records without the gateway. */
  fill(topic: string, records: readonly { readonly key: string; readonly value: string }[]): Promise<void>;
  stop(): Promise<void>;
}

/** Heap and garbage collector of Kafka's own start script; the tests use smaller values. */
const JVM = ["-Xms1g", "-Xmx1g", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20"];

/** Deletes old events, because several hundred thousand events per second fill a disk. The end offset of a log stays. */
const PROPERTIES = {
  "log.segment.bytes": "67108864",
  "log.retention.bytes": "134217728",
  "log.retention.check.interval.ms": "5000",
};
const PARTITIONS = 6;
const FILL_BATCH = 2000;

/** A broker that is away until `start`, and after `kill`. */
export interface AbsentKafka {
  readonly broker: string;
  start(): Promise<void>;
  kill(): Promise<void>;
  stop(): Promise<void>;
}

/** Reserves the address of a broker. */
export const reserveBenchKafka = async (): Promise<AbsentKafka> => {
  const server = await prepareKafka({ jvm: JVM, properties: PROPERTIES });
  const [broker = ""] = server.brokers;
  return {
    broker,
    start: () => server.start(),
    kill: () => server.kill(),
    stop: () => server.stop(),
  };
};

export const startBenchKafka = async (): Promise<BenchKafka> => {
  const server = await startKafka({ jvm: JVM, properties: PROPERTIES });
  const [broker = ""] = server.brokers;
  const client = new Kafka({ brokers: [broker], logLevel: logLevel.NOTHING });
  const admin = client.admin();
  const producer = client.producer();
  await Promise.all([admin.connect(), producer.connect()]);

  const logEnd = async (topic: string): Promise<number> => {
    const ends = await admin.fetchTopicOffsets(topic);
    return ends.reduce((sum, { high }) => sum + Number(high), 0);
  };

  return {
    broker,
    pid: server.pid ?? 0,
    createTopic: async (topic, numPartitions = PARTITIONS) => {
      await admin.createTopics({ topics: [{ topic, numPartitions }], waitForLeaders: false });
      await eventually(() => logEnd(topic));
    },
    logEnd: (topic) => settled(() => logEnd(topic)),
    fill: async (topic, records) => {
      for (let from = 0; from < records.length; from += FILL_BATCH)
        await producer.send({ topic, acks: -1, messages: records.slice(from, from + FILL_BATCH) });
    },
    stop: async () => {
      await Promise.all([admin.disconnect(), producer.disconnect()]);
      await server.stop();
    },
  };
};

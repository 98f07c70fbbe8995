import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { compressSync as snappyCompress } from "snappy";
import type { Broker, ConsumedRecord } from "../../../src/broker/broker.ts";
import { COMPRESSIONS, prepareCompressions } from "../../../src/broker/kafka/compression.ts";
import { createKafkaBroker } from "../../../src/broker/kafka/kafka-broker.ts";
import type { CompressionName } from "../../../src/broker/kafka/options.ts";
import { describeJava, uniqueName } from "../../support/kafka/describe.ts";
import { runJava } from "../../support/kafka/java.ts";
import { startKafka, type KafkaServer } from "../../support/kafka/server.ts";
import { record } from "../conformance/tools.ts";
import { kafkaOptions } from "./options.ts";

const CODECS = Object.keys(COMPRESSIONS) as (keyof typeof COMPRESSIONS)[];

describe("compression", () => {
  beforeAll(() => prepareCompressions());

  it.each(CODECS)("%s decompresses to the original bytes", (name) => {
    const codec = COMPRESSIONS[name];
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 5000 }), fc.integer({ min: 1, max: 50 }), (array, times) => {
        const records = Buffer.concat(Array.from({ length: times }, () => Buffer.from(array)));
        expect(codec.decompress(codec.compress(records)).equals(records)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });

  it.each(CODECS)("%s makes repetitive data smaller", (name) => {
    expect(COMPRESSIONS[name].compress(Buffer.alloc(100_000, "abc")).length).toBeLessThan(10_000);
  });

  it("writes gzip that zlib can read", () => {
    const records = Buffer.from("records");
    expect(gunzipSync(COMPRESSIONS.gzip.compress(records))).toEqual(records);
  });

  it("reads snappy in the blocks of snappy-java", () => {
    const blocks = [Buffer.alloc(40_000, "a"), Buffer.from("b"), Buffer.alloc(0)];
    const header = Buffer.concat([
      Buffer.from("\x82SNAPPY\0", "latin1"),
      Buffer.from([0, 0, 0, 1, 0, 0, 0, 1]),
    ]);
    const framed = blocks.flatMap((block) => {
      const compressed = snappyCompress(block);
      const length = Buffer.alloc(4);
      length.writeInt32BE(compressed.length);
      return [length, compressed];
    });
    expect(COMPRESSIONS.snappy.decompress(Buffer.concat([header, ...framed]))).toEqual(Buffer.concat(blocks));
  });

  it.each(CODECS)("%s throws on bytes that aren't in its format", (name) => {
    expect(() => COMPRESSIONS[name].decompress(Buffer.from("no such bytes, at all"))).toThrow();
  });
});

const COUNT = 300;
const program = fileURLToPath(new URL("../../support/kafka/Interop.java", import.meta.url));
const values = Array.from({ length: COUNT }, (_, i) => `${i}:${"x".repeat(1000)}`);

describeJava("compressed batches and Kafka's Java client", () => {
  let kafka: KafkaServer;
  let broker: Broker | undefined;

  beforeAll(async () => {
    kafka = await startKafka();
  }, 120_000);

  afterEach(async () => {
    await broker?.close();
  });

  afterAll(async () => {
    await kafka.stop();
  });

  const connect = async (
    compression: CompressionName,
    producer: "kafkajs" | "platformatic",
  ): Promise<Broker> => {
    broker = createKafkaBroker(kafkaOptions(kafka.brokers, { compression, producer }));
    await broker.open();
    return broker;
  };

  it.each(["kafkajs", "platformatic"] as const)(
    "the Java client reads the batches of %s with each codec",
    async (producer) => {
      const topics: string[] = [];
      for (const codec of ["none", ...CODECS] as const) {
        const topic = uniqueName(codec);
        topics.push(topic);
        const opened = await connect(codec, producer);
        await opened.ensureTopic({ name: topic, partitions: 1 });
        await opened.append(
          topic,
          values.map((value) => record(value)),
        );
        await opened.close();
      }
      const printed = await runJava(program, ["read", kafka.brokers[0] ?? "", String(COUNT), ...topics]);
      const lines = printed.split("\n").map((line) => line.split(" "));
      for (const topic of topics) {
        const read = lines.filter(([from]) => from === topic);
        expect(read.map(([, value = ""]) => Buffer.from(value, "base64").toString())).toEqual(values);
      }
    },
    60_000,
  );

  it.each(CODECS)(
    "the gateway reads %s batches of the Java client",
    async (codec) => {
      const topic = uniqueName(codec);
      const opened = await connect("none", "platformatic");
      await opened.ensureTopic({ name: topic, partitions: 1 });
      await runJava(program, ["write", kafka.brokers[0] ?? "", topic, codec, String(COUNT)]);
      const read: ConsumedRecord[] = [];
      await new Promise<void>((resolve, reject) => {
        const onRecords = (records: readonly ConsumedRecord[]): void => {
          read.push(...records);
          if (read.length >= COUNT) resolve();
        };
        opened.subscribe({ topics: [topic], from: "earliest" }, { onRecords }).catch(reject);
      });

      expect(read.map(({ value }) => value?.toString())).toEqual(values);
    },
    60_000,
  );
});

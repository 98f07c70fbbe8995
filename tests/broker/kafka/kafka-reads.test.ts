/** What only a real Kafka shows about reads of a partition. The rest is in `conformance/reading.ts`. */
import kafkajs, { Kafka, logLevel } from "kafkajs";
import type { Broker } from "../../../src/broker/broker.ts";
import { createKafkaBroker } from "../../../src/broker/kafka/kafka-broker.ts";
import { describeKafka, describeOwnKafka, uniqueName } from "../../support/kafka/describe.ts";
import { startKafka } from "../../support/kafka/server.ts";
import { readOptions } from "../conformance/reading.ts";
import { newTopic, numbered, record, store, valueOf } from "../conformance/tools.ts";
import { kafkaOptions } from "./options.ts";

describeKafka("a read of a partition of Kafka", (kafka) => {
  const open: Broker[] = [];
  const connect = async (changes: Parameters<typeof kafkaOptions>[1] = {}): Promise<Broker> => {
    const broker = createKafkaBroker(kafkaOptions(kafka.brokers, changes));
    open.push(broker);
    await broker.open();
    return broker;
  };
  const client = () => new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING });

  afterEach(async () => {
    await Promise.all(open.splice(0).map((broker) => broker.close()));
  });

  it.each(["gzip", "snappy", "lz4", "zstd"] as const)("decompresses %s", async (compression) => {
    const broker = await connect({ compression, producer: "platformatic" });
    const topic = await newTopic(broker);
    const values = Array.from({ length: 200 }, (_, n) => `${n} ${"text ".repeat(20)}`);
    await store(
      broker,
      topic,
      values.map((value) => record(value)),
    );
    const { records, next } = await broker.read({ topic, partition: 0, offset: 150n }, readOptions());
    expect(records.map(valueOf)).toEqual(values.slice(150));
    expect(next).toBe(200n);
  });

  it("returns committed records only, and passes the others; an uncommitted read returns all of them", async () => {
    const broker = await connect();
    const topic = await newTopic(broker);
    const producer = client().producer({
      transactionalId: uniqueName("tx"),
      maxInFlightRequests: 1,
      idempotent: true,
    });
    await producer.connect();
    const send = async (value: string, end: "commit" | "abort" | undefined) => {
      const transaction = await producer.transaction();
      await transaction.send({ topic, messages: [{ value }] });
      if (end === "commit") await transaction.commit();
      else if (end === "abort") await transaction.abort();
      return transaction;
    };
    await send("committed", "commit"); // offsets 0, and 1 for the marker
    await send("aborted", "abort"); // 2, 3
    await send("committed too", "commit"); // 4, 5
    const last = await send("unfinished", undefined); // 6

    const seen: (string | undefined)[] = [];
    let offset = 0n;
    while (offset < 6n) {
      const read = await broker.read({ topic, partition: 0, offset }, readOptions({ maxWaitMs: 5000 }));
      seen.push(...read.records.map(valueOf));
      expect(read.next).toBeGreaterThan(offset);
      expect(read.high).toBe(6n);
      offset = read.next;
    }
    expect(seen).toEqual(["committed", "committed too"]);
    const all = await broker.read(
      { topic, partition: 0, offset: 0n },
      readOptions({ isolation: "uncommitted", maxWaitMs: 5000 }),
    );
    expect(all.records.map(valueOf)).toEqual(["committed", "aborted", "committed too", "unfinished"]);
    expect([all.next, all.high]).toEqual([7n, 7n]);
    const waiting = broker.read({ topic, partition: 0, offset: 6n }, readOptions({ maxWaitMs: 30_000 }));
    await last.commit();
    expect((await waiting).records.map(valueOf)).toEqual(["unfinished"]);
    await producer.disconnect();
  }, 60_000);

  it("refuses an offset that was deleted, and says where the partition begins", async () => {
    const broker = await connect();
    const topic = await newTopic(broker);
    await store(broker, topic, numbered(5));
    const admin = client().admin();
    await admin.connect();
    // kafkajs deletes only in a topic that it has asked about.
    await admin.fetchTopicOffsets(topic);
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: "3" }] });
    await admin.disconnect();
    const read = (offset: bigint) => broker.read({ topic, partition: 0, offset }, readOptions());
    await expect(read(2n)).rejects.toMatchObject({ code: "OFFSET_OUT_OF_RANGE" });
    expect(await read(3n)).toMatchObject({ low: 3n, high: 5n, next: 5n });
  });

  it("answers all reads of a request whose answer is full", async () => {
    const broker = await connect({ producer: "platformatic" });
    const topic = await newTopic(broker, { partitions: 6 });
    const value = "x".repeat(800_000);
    // 6 partitions with 8 MB each: more than one answer may have.
    for (let round = 0; round < 10; round += 1)
      await Promise.all(
        [0, 1, 2, 3, 4, 5].map((partition) => store(broker, topic, [record(value, { partition })])),
      );
    const reads = await Promise.all(
      [0, 1, 2, 3, 4, 5].map((partition) =>
        broker.read({ topic, partition, offset: 0n }, readOptions({ maxBytes: 16 * 1024 * 1024 })),
      ),
    );
    expect(reads.every(({ records }) => records.length > 0)).toBe(true);
  }, 60_000);

  it("is of a topic with the settings of a slots' topic, and sees the broker's timestamps", async () => {
    const broker = await connect();
    const topic = await newTopic(broker, {
      compacted: true,
      minCompactionLagMs: 3_600_000,
      logAppendTime: true,
    });
    const before = Date.now();
    await store(broker, topic, [record("a", { key: Buffer.from("k"), timestamp: 1000 })]);
    const { records } = await broker.read(
      { topic, partition: 0, offset: 0n },
      readOptions({ maxWaitMs: 5000 }),
    );
    expect(records[0]?.timestamp).toBeGreaterThanOrEqual(before - 1000);
    const admin = client().admin();
    await admin.connect();
    const { resources } = await admin.describeConfigs({
      resources: [
        {
          type: kafkajs.ConfigResourceTypes.TOPIC,
          name: topic,
          configNames: ["min.compaction.lag.ms", "message.timestamp.type"],
        },
      ],
      includeSynonyms: false,
    });
    await admin.disconnect();
    expect(
      resources[0]?.configEntries.map(({ configName, configValue }) => `${configName}=${configValue}`).sort(),
    ).toEqual(["message.timestamp.type=LogAppendTime", "min.compaction.lag.ms=3600000"]);
  });
});

describeOwnKafka("a read of a partition, while Kafka is away", () => {
  it("fails within the request timeout, and goes on when Kafka is back", async () => {
    const kafka = await startKafka();
    const broker = createKafkaBroker(
      kafkaOptions(kafka.brokers, { connectTimeout: 500, requestTimeout: 1500 }),
    );
    try {
      const topic = await newTopic(broker);
      await store(broker, topic, numbered(1));
      const read = () => broker.read({ topic, partition: 0, offset: 0n }, readOptions({ maxWaitMs: 500 }));
      expect((await read()).records).toHaveLength(1);
      const faults = [
        [
          () => {
            kafka.freeze();
          },
          () => {
            kafka.thaw();
          },
        ],
        [() => kafka.kill(), () => kafka.start()],
      ] as const;
      for (const [begin, end] of faults) {
        await begin();
        const begun = performance.now();
        await expect(read()).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
        // 2 s, and a reserve for a machine with much else to do.
        expect(performance.now() - begun).toBeLessThan(4000);
        await end();
        while ((await read().catch(() => undefined))?.records.length !== 1) continue;
      }
    } finally {
      await broker.close();
      await kafka.stop();
    }
  }, 180_000);
});

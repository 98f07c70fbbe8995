import type { BrokerRecord, TopicInfo } from "../../../src/broker/broker.ts";
import { createAppender, type AppenderOptions } from "../../../src/broker/kafka/appender.ts";
import {
  failedBatch,
  type PartitionBatch,
  type Producer,
  type SendFault,
  type SendResult,
} from "../../../src/broker/kafka/producer.ts";

const record = (value: string, more: Partial<BrokerRecord> = {}): BrokerRecord => ({
  key: null,
  value: Buffer.from(value),
  headers: [],
  timestamp: 1,
  ...more,
});

const valuesOf = ({ records }: PartitionBatch): string[] => records.map(({ value }) => String(value));

type Answer = SendFault | "stored" | "never";

/** A producer with one log per partition. `script`: the first answers of each partition. */
const fakeProducer = (script: Readonly<Record<number, readonly Answer[]>> = {}) => {
  const logs = new Map<number, string[]>();
  const sends: PartitionBatch[][] = [];
  const abandoned: PartitionBatch[] = [];
  const answers = new Map(
    Object.entries(script).map(([partition, wanted]) => [Number(partition), [...wanted]]),
  );

  const answer = async (batch: PartitionBatch): Promise<SendResult> => {
    const wanted = answers.get(batch.partition)?.shift() ?? "stored";
    if (wanted === "never") return new Promise(() => undefined);
    await Promise.resolve();
    if (wanted !== "stored") return failedBatch(wanted, `scripted: ${wanted}`);
    const log = logs.get(batch.partition) ?? [];
    logs.set(batch.partition, log);
    const baseOffset = BigInt(log.length);
    log.push(...valuesOf(batch));
    return { status: "stored", baseOffset, timestamp: undefined };
  };

  const producer: Producer = {
    send: (_topic, batches) => {
      sends.push([...batches]);
      return Promise.all(batches.map(answer));
    },
    abandon: (batches) => {
      abandoned.push(...batches);
    },
    close: () => Promise.resolve(),
  };
  return { producer, logs, sends, abandoned };
};

const threePartitions = (name: string): Promise<TopicInfo> => Promise.resolve({ name, partitions: 3 });

const appenderOf = (producer: Producer, more: Partial<AppenderOptions> = {}) =>
  createAppender({ producer, topic: threePartitions, deliveryTimeout: 2000, ...more });

const endings = (outcomes: Awaited<ReturnType<ReturnType<typeof appenderOf>>>): string[] =>
  outcomes.map((outcome) => (outcome.status === "stored" ? "stored" : outcome.error.code));

const on = (partition: number, ...values: string[]): BrokerRecord[] =>
  values.map((value) => record(value, { partition }));

describe("an append to Kafka", () => {
  it("returns the partition and offset of each record, in the order of the records", async () => {
    const { producer } = fakeProducer();
    const outcomes = await appenderOf(producer)("t", [...on(1, "a"), ...on(0, "b"), ...on(1, "c")]);

    expect(outcomes).toEqual([
      { status: "stored", partition: 1, offset: 0n, timestamp: 1 },
      { status: "stored", partition: 0, offset: 0n, timestamp: 1 },
      { status: "stored", partition: 1, offset: 1n, timestamp: 1 },
    ]);
  });

  it("returns the broker's timestamp if the broker sets one", async () => {
    const producer: Producer = {
      ...fakeProducer().producer,
      send: () => Promise.resolve([{ status: "stored", baseOffset: 4n, timestamp: 77 }]),
    };

    expect(await appenderOf(producer)("t", on(0, "a"))).toEqual([
      { status: "stored", partition: 0, offset: 4n, timestamp: 77 },
    ]);
  });

  it("sends a partition's batches one after the other, at most 500 records each", async () => {
    const { producer, sends, logs } = fakeProducer();
    const values = Array.from({ length: 10_000 }, (_, i) => `${i}`);
    const outcomes = await appenderOf(producer)("t", on(0, ...values));

    expect(outcomes.map((outcome) => outcome.status === "stored" && Number(outcome.offset))).toEqual(
      values.map(Number),
    );
    expect(sends.map((batches) => batches.map(({ records }) => records.length))).toEqual(
      Array.from({ length: 20 }, () => [500]),
    );
    expect(logs.get(0)).toEqual(values);
  });

  it("keeps batches smaller than the default limit of a topic", async () => {
    const { producer, sends } = fakeProducer();
    const large = "x".repeat(400_000);
    await appenderOf(producer)("t", on(0, large, large, large, "small"));

    expect(sends.map(([batch]) => batch?.records.length)).toEqual([2, 2]);
  });

  it.each<SendFault>(["unavailable", "moved", "ambiguous"])(
    "sends the same batch again after: %s, before the next batch of the partition",
    async (fault) => {
      const { producer, sends, logs } = fakeProducer({ 0: [fault, fault] });
      const values = Array.from({ length: 600 }, (_, i) => `${i}`);
      const outcomes = await appenderOf(producer)("t", on(0, ...values));

      expect(new Set(endings(outcomes))).toEqual(new Set(["stored"]));
      expect(logs.get(0)).toEqual(values);
      expect(sends[1]?.[0]).toBe(sends[0]?.[0]);
      expect(sends[2]?.[0]).toBe(sends[0]?.[0]);
    },
  );

  it("stores the records of other partitions while one partition fails", async () => {
    const { producer, sends, abandoned } = fakeProducer({ 0: Array<Answer>(99).fill("unavailable") });
    const outcomes = await appenderOf(producer, { deliveryTimeout: 300 })("t", [
      ...on(0, "a"),
      ...on(1, "b"),
    ]);

    expect(endings(outcomes)).toEqual(["BROKER_UNAVAILABLE", "stored"]);
    expect(sends.slice(1).every((batches) => batches.length === 1 && batches[0]?.partition === 0)).toBe(true);
    expect(abandoned).toEqual([sends[0]?.[0]]);
  });

  it("reports a batch that may be stored as ambiguous, and the batches behind it as not stored", async () => {
    const { producer } = fakeProducer({ 0: ["ambiguous", ...Array<Answer>(99).fill("unavailable")] });
    const values = Array.from({ length: 501 }, (_, i) => `${i}`);
    const outcomes = await appenderOf(producer, { deliveryTimeout: 300 })("t", on(0, ...values));

    expect(new Set(endings(outcomes.slice(0, 500)))).toEqual(new Set(["BROKER_AMBIGUOUS"]));
    expect(endings(outcomes.slice(500))).toEqual(["BROKER_UNAVAILABLE"]);
  });

  it.each<SendFault>(["too-large", "invalid", "refused"])(
    "reports the outcome as unknown if an ambiguous attempt is followed by: %s",
    async (fault) => {
      const { producer, sends } = fakeProducer({ 0: ["ambiguous", "unavailable", fault] });
      const values = Array.from({ length: 501 }, (_, i) => `${i}`);
      const outcomes = await appenderOf(producer)("t", on(0, ...values));

      expect(new Set(endings(outcomes.slice(0, 500)))).toEqual(new Set(["BROKER_AMBIGUOUS"]));
      expect(endings(outcomes.slice(500))).toEqual(["stored"]);
      expect(sends).toHaveLength(4);
    },
  );

  it("reports the outcome as unknown if the topic is deleted after an ambiguous attempt", async () => {
    const { producer } = fakeProducer({ 0: ["ambiguous", "moved", "moved"] });
    const topic = (name: string, fresh = false) =>
      fresh ? Promise.resolve(undefined) : threePartitions(name);
    const values = Array.from({ length: 501 }, (_, i) => `${i}`);
    const outcomes = await appenderOf(producer, { topic })("t", on(0, ...values));

    expect(new Set(endings(outcomes.slice(0, 500)))).toEqual(new Set(["BROKER_AMBIGUOUS"]));
    expect(endings(outcomes.slice(500))).toEqual(["STATION_UNKNOWN"]);
  });

  it("reports the outcome as unknown if the client throws, and keeps the outcomes of other partitions", async () => {
    const { producer } = fakeProducer({ 0: ["unavailable"] });
    let calls = 0;
    const throwing: Producer = {
      ...producer,
      send: (topic, batches) => {
        if (++calls === 2) throw new TypeError("broken client");
        return producer.send(topic, batches);
      },
    };

    expect(endings(await appenderOf(throwing)("t", [...on(0, "a"), ...on(1, "b")]))).toEqual([
      "BROKER_AMBIGUOUS",
      "stored",
    ]);
  });

  it("reports the outcome as unknown after the delivery timeout if the client never answers", async () => {
    const { producer, abandoned } = fakeProducer({ 0: ["never"] });
    const outcomes = await appenderOf(producer, { deliveryTimeout: 100 })("t", on(0, "a"));

    expect(endings(outcomes)).toEqual(["BROKER_AMBIGUOUS"]);
    expect(abandoned).toHaveLength(1);
  });

  it.each([
    ["too-large", "RECORD_TOO_LARGE"],
    ["invalid", "RECORD_REFUSED"],
  ] as const)("finds the one record that is %s", async (fault, code) => {
    const { producer, logs } = fakeProducer();
    const strict: Producer = {
      ...producer,
      send: async (topic, batches) =>
        batches.some((batch) => valuesOf(batch).includes("bad"))
          ? batches.map(() => failedBatch(fault, "scripted"))
          : producer.send(topic, batches),
    };
    const values = ["a", "b", "bad", "c", "d", "e", "f"];

    expect(endings(await appenderOf(strict)("t", on(0, ...values)))).toEqual(
      values.map((value) => (value === "bad" ? code : "stored")),
    );
    expect(logs.get(0)).toEqual(values.filter((value) => value !== "bad"));
  });

  it("doesn't retry a batch that the broker refuses", async () => {
    const { producer, sends } = fakeProducer({ 0: ["refused"] });

    expect(endings(await appenderOf(producer)("t", on(0, "a")))).toEqual(["TOPIC_REFUSED"]);
    expect(sends).toHaveLength(1);
  });

  it("fails only the records of an unknown partition, without sending them", async () => {
    const { producer, sends } = fakeProducer();
    const outcomes = await appenderOf(producer)("t", [...on(3, "a"), ...on(2, "b"), ...on(-1, "c")]);

    expect(endings(outcomes)).toEqual(["PARTITION_UNKNOWN", "stored", "PARTITION_UNKNOWN"]);
    expect(sends.flat().map(valuesOf)).toEqual([["b"]]);
  });

  it("distinguishes an unknown topic from an unavailable broker", async () => {
    const { producer, sends } = fakeProducer();
    const unknown = appenderOf(producer, { topic: () => Promise.resolve(undefined) });
    const silent = appenderOf(producer, { topic: () => new Promise(() => undefined), deliveryTimeout: 100 });
    const refused = appenderOf(producer, {
      topic: () => Promise.reject(new TypeError("away")),
      deliveryTimeout: 100,
    });

    expect(endings(await unknown("t", on(0, "a")))).toEqual(["STATION_UNKNOWN"]);
    expect(endings(await silent("t", on(0, "a")))).toEqual(["BROKER_UNAVAILABLE"]);
    expect(endings(await refused("t", on(0, "a")))).toEqual(["BROKER_UNAVAILABLE"]);
    expect(sends).toEqual([]);
  });

  it("retries the lookup of a topic until the delivery timeout, but not again while the outage lasts", async () => {
    const { producer, logs } = fakeProducer();
    let lookups = 0;
    let answers = false;
    const topic = (name: string): Promise<TopicInfo> => {
      lookups += 1;
      return answers || lookups === 3 ? threePartitions(name) : Promise.reject(new TypeError("away"));
    };
    const append = appenderOf(producer, { topic, deliveryTimeout: 500 });

    expect(endings(await append("t", on(0, "a")))).toEqual(["stored"]);
    expect(lookups).toBe(3);
    expect(endings(await append("t", on(0, "b")))).toEqual(["BROKER_UNAVAILABLE"]);
    const before = lookups;
    expect(endings(await append("another", on(0, "c")))).toEqual(["BROKER_UNAVAILABLE"]);
    expect(lookups).toBe(before + 1);
    answers = true;
    expect(endings(await append("t", on(0, "d")))).toEqual(["stored"]);
    expect(logs.get(0)).toEqual(["a", "d"]);
  });

  it("fails with STATION_UNKNOWN if the topic is deleted meanwhile", async () => {
    const { producer, abandoned } = fakeProducer({ 0: ["moved", "moved"] });
    const topic = (name: string, fresh = false) =>
      fresh ? Promise.resolve(undefined) : threePartitions(name);

    expect(endings(await appenderOf(producer, { topic })("t", on(0, "a")))).toEqual(["STATION_UNKNOWN"]);
    expect(abandoned).toHaveLength(1);
  });

  it("takes a topic as deleted only after two answers", async () => {
    const { producer } = fakeProducer({ 0: ["moved"] });
    const topic = (name: string, fresh = false) =>
      fresh ? Promise.resolve(undefined) : threePartitions(name);

    expect(endings(await appenderOf(producer, { topic })("t", on(0, "a")))).toEqual(["stored"]);
  });

  it("retries after a leader change if the lookup of the topic fails", async () => {
    const { producer } = fakeProducer({ 0: ["moved"] });
    const topic = (name: string, fresh = false) =>
      fresh ? Promise.reject(new TypeError("away")) : threePartitions(name);

    expect(endings(await appenderOf(producer, { topic })("t", on(0, "a")))).toEqual(["stored"]);
  });

  it("waits for the delivery timeout once per outage, then fails at once until the broker is back", async () => {
    const { producer, sends } = fakeProducer({ 0: Array<Answer>(4).fill("unavailable") });
    const append = appenderOf(producer, { deliveryTimeout: 250 });

    expect(endings(await append("t", on(0, "a")))).toEqual(["BROKER_UNAVAILABLE"]);
    const before = sends.length;
    expect(before).toBeGreaterThan(1);
    while (sends.length < 4) expect(endings(await append("t", on(0, "b")))).toEqual(["BROKER_UNAVAILABLE"]);
    expect(endings(await append("t", on(0, "c")))).toEqual(["stored"]);
    expect(sends).toHaveLength(5);
  });

  it("settles an empty append", async () => {
    expect(await appenderOf(fakeProducer().producer)("t", [])).toEqual([]);
  });
});

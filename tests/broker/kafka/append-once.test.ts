/** What only a real Kafka, or a fake connection, shows about one attempt. The rest is in `conformance/once.ts`. */
import type { Broker } from "../../../src/broker/broker.ts";
import { onceResultOf, writeOnce } from "../../../src/broker/kafka/append-once.ts";
import { createKafkaBroker } from "../../../src/broker/kafka/kafka-broker.ts";
import { readTopic } from "../../support/each-broker.ts";
import { describeKafka, describeOwnKafka, uniqueName } from "../../support/kafka/describe.ts";
import type { TcpProxy } from "../../support/kafka/proxy.ts";
import { startProxiedKafka, type KafkaServer, type ProxiedKafka } from "../../support/kafka/server.ts";
import { batch, summaryOf } from "../conformance/once.ts";
import { readOptions } from "../conformance/reading.ts";
import { newTopic, record, valueOf } from "../conformance/tools.ts";
import { kafkaOptions } from "./options.ts";

const allowed = (): boolean => true;

describe("Kafka's answer to one attempt", () => {
  const codes = {
    MESSAGE_TOO_LARGE: 10,
    RECORD_LIST_TOO_LARGE: 18,
    INVALID_RECORD: 87,
    INVALID_TIMESTAMP: 32,
    CORRUPT_MESSAGE: 2,
    POLICY_VIOLATION: 44,
    TOPIC_AUTHORIZATION_FAILED: 29,
    NOT_ENOUGH_REPLICAS: 19,
    NOT_LEADER_OR_FOLLOWER: 6,
    NOT_ENOUGH_REPLICAS_AFTER_APPEND: 20,
    REQUEST_TIMED_OUT: 7,
    UNKNOWN_TOPIC_OR_PARTITION: 3,
    KAFKA_STORAGE_ERROR: 56,
    UNKNOWN_SERVER_ERROR: -1,
  };
  const answerTo = (code: keyof typeof codes, baseOffset = -1n): string =>
    summaryOf(onceResultOf({ partition: 0, errorCode: codes[code], baseOffset, logAppendTime: -1n }));

  it.each([
    ["MESSAGE_TOO_LARGE", "refused RECORD_TOO_LARGE"],
    ["RECORD_LIST_TOO_LARGE", "refused RECORD_TOO_LARGE"],
    ["INVALID_RECORD", "refused RECORD_REFUSED"],
    ["INVALID_TIMESTAMP", "refused RECORD_REFUSED"],
    ["CORRUPT_MESSAGE", "refused RECORD_REFUSED"],
    ["POLICY_VIOLATION", "refused TOPIC_REFUSED"],
    ["TOPIC_AUTHORIZATION_FAILED", "refused TOPIC_REFUSED"],
    ["NOT_ENOUGH_REPLICAS", "unsent BROKER_UNAVAILABLE"],
    ["NOT_LEADER_OR_FOLLOWER", "unknown BROKER_AMBIGUOUS"],
    ["NOT_ENOUGH_REPLICAS_AFTER_APPEND", "unknown BROKER_AMBIGUOUS"],
    ["REQUEST_TIMED_OUT", "unknown BROKER_AMBIGUOUS"],
    ["UNKNOWN_TOPIC_OR_PARTITION", "unknown BROKER_AMBIGUOUS"],
    ["KAFKA_STORAGE_ERROR", "unknown BROKER_AMBIGUOUS"],
    ["UNKNOWN_SERVER_ERROR", "unknown BROKER_AMBIGUOUS"],
  ] as const)("%s is %s", (code, summary) => {
    expect(answerTo(code)).toBe(summary);
  });

  it("is unknown if it has an offset, whatever its error is", () => {
    expect(answerTo("MESSAGE_TOO_LARGE", 7n)).toBe("unknown BROKER_AMBIGUOUS");
    expect(answerTo("NOT_ENOUGH_REPLICAS", 7n)).toBe("unknown BROKER_AMBIGUOUS");
  });

  it("has the broker's timestamp, if the topic uses it", () => {
    const answer = { partition: 0, errorCode: 0, baseOffset: 3n };
    expect(onceResultOf({ ...answer, logAppendTime: 1700n })).toEqual({
      status: "stored",
      baseOffset: 3n,
      timestamp: 1700,
    });
  });
});

describe("the write of one attempt", () => {
  const connection = (writableLength = 0) => {
    const socket = { writableLength, destroyed: false };
    return { socket, isRenewing: false, isConnected: () => !socket.destroyed };
  };
  const { signal } = new AbortController();

  it("is in the turn in which it is allowed", async () => {
    const steps: string[] = [];
    const mayWrite = (): boolean => {
      queueMicrotask(() => steps.push("later"));
      steps.push("allowed");
      return true;
    };
    await writeOnce(connection(), { mayWrite, signal }, () => {
      steps.push("written");
      return Promise.resolve();
    });
    expect(steps).toEqual(["allowed", "written", "later"]);
  });

  it("waits for unsent bytes, and asks only then", async () => {
    const busy = connection(10);
    let isAllowed = true;
    let asked = 0;
    const mayWrite = (): boolean => {
      asked += 1;
      return isAllowed;
    };
    const written = writeOnce(busy, { mayWrite, signal }, () => Promise.resolve("written"));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(asked).toBe(0);
    isAllowed = false;
    busy.socket.writableLength = 0;
    expect(await written).toBeUndefined();
    expect(asked).toBe(1);
  });

  it.each([
    [
      "the time is over",
      (_: ReturnType<typeof connection>, over: AbortController) => {
        over.abort();
      },
    ],
    [
      "the connection breaks",
      ({ socket }: ReturnType<typeof connection>) => {
        socket.destroyed = true;
      },
    ],
  ])("does not happen if %s while it waits", async (_, end) => {
    const busy = connection(10);
    const over = new AbortController();
    const written = writeOnce(busy, { mayWrite: allowed, signal: over.signal }, () =>
      Promise.resolve("written"),
    );
    end(busy, over);
    expect(await written).toBeUndefined();
  });
});

describeKafka("one attempt at Kafka", (kafka) => {
  let broker: Broker;
  afterEach(() => broker.close());

  it.each(["gzip", "snappy", "lz4", "zstd"] as const)(
    "compresses with %s, whatever the producer is",
    async (compression) => {
      broker = createKafkaBroker(kafkaOptions(kafka.brokers, { compression, producer: "kafkajs" }));
      await broker.open();
      const topic = await newTopic(broker);
      await broker.leaderEnd(topic, 0);
      const values = Array.from({ length: 100 }, (_, n) => `${n} ${"text ".repeat(200)}`);
      const [result] = await broker.appendOnce(topic, [batch(0, ...values)], {
        mayWrite: allowed,
        timeoutMs: 5000,
      });
      expect(result).toMatchObject({ status: "stored", baseOffset: 0n });
      const { records } = await broker.read(
        { topic, partition: 0, offset: 0n },
        readOptions({ maxWaitMs: 5000 }),
      );
      expect(records.map(valueOf)).toEqual(values);
    },
  );

  it("is refused if a compacted topic gets a record without key, and has the broker's time in a topic that uses it", async () => {
    broker = createKafkaBroker(kafkaOptions(kafka.brokers));
    await broker.open();
    const compacted = await newTopic(broker, { compacted: true });
    const timed = await newTopic(broker, { logAppendTime: true });
    await Promise.all([compacted, timed].map((topic) => broker.leaderEnd(topic, 0)));
    const limits = { mayWrite: allowed, timeoutMs: 5000 };

    expect((await broker.appendOnce(compacted, [batch(0, "keyless")], limits)).map(summaryOf)).toEqual([
      "refused RECORD_REFUSED",
    ]);
    const old = { partition: 0, records: [record("old", { timestamp: 1000 })] };
    const [stored] = await broker.appendOnce(timed, [old], limits);
    const { records } = await broker.read({ topic: timed, partition: 0, offset: 0n }, readOptions());
    expect(stored).toEqual({ status: "stored", baseOffset: 0n, timestamp: records[0]?.timestamp });
    expect(records[0]?.timestamp).toBeGreaterThan(1000);
  });
});

describeOwnKafka("one attempt at a Kafka that fails", () => {
  let own: ProxiedKafka;
  let kafka: KafkaServer;
  let proxy: TcpProxy;
  let broker: Broker;
  let topic: string;

  beforeAll(async () => {
    own = await startProxiedKafka();
    ({ kafka, proxy } = own);
  }, 120_000);
  beforeEach(async () => {
    own.reconnect();
    broker = createKafkaBroker(kafkaOptions([proxy.address], { connectTimeout: 1000, requestTimeout: 1500 }));
    await broker.open();
    topic = uniqueName("once");
    await broker.ensureTopic({ name: topic, partitions: 12 });
    for (let partition = 0; partition < 12; partition += 1) await broker.leaderEnd(topic, partition);
  });
  afterEach(async () => {
    await kafka.heal();
    await broker.close();
  }, 120_000);
  afterAll(async () => {
    await own.stop();
  });

  const attempt = async (partition: number, value: string, { mayWrite = allowed, timeoutMs = 3000 } = {}) => {
    const results = await broker.appendOnce(topic, [batch(partition, value)], { mayWrite, timeoutMs });
    return results.map(summaryOf).join();
  };
  const stored = async () =>
    (await readTopic(kafka.brokers, topic)).map(({ value }) => value.toString()).sort();

  it("is unknown if the answer is lost, and is not repeated", async () => {
    expect(await attempt(0, "before")).toBe("stored at 0");
    const cut = proxy.cutAtNextAnswer();
    const cutShort = attempt(0, "cut");
    await cut;
    expect(await cutShort).toBe("unknown BROKER_AMBIGUOUS");
    expect(await attempt(0, "after")).toBe("stored at 2");
    expect(await stored()).toEqual(["after", "before", "cut"]);
  }, 30_000);

  it("is unknown at a frozen broker, within its time, and its connection is closed", async () => {
    expect(await attempt(0, "before")).toBe("stored at 0");
    const open = proxy.connections();
    kafka.freeze();
    const begun = performance.now();
    expect(await attempt(0, "frozen", { timeoutMs: 1000 })).toBe("unknown BROKER_AMBIGUOUS");
    expect(performance.now() - begun).toBeLessThan(3000);
    while (proxy.connections() >= open) await new Promise((resolve) => setTimeout(resolve, 5));
    kafka.thaw();
    while ((await attempt(1, "after")) !== "stored at 0") continue;
  }, 30_000);

  it("writes nothing that is no longer allowed when a connection is free", async () => {
    // More attempts than the gateway has connections to a broker.
    await Promise.all(Array.from({ length: 8 }, (_, n) => attempt(n, `before${n}`)));
    kafka.freeze();
    let isAllowed = true;
    const first = Array.from({ length: 8 }, (_, n) => attempt(n, `first${n}`, { timeoutMs: 10_000 }));
    const late = attempt(8, "late", { mayWrite: () => isAllowed, timeoutMs: 20_000 });
    isAllowed = false;
    kafka.thaw();
    expect(await late).toBe("unsent BROKER_UNAVAILABLE");
    await Promise.all(first);
    expect(await stored()).not.toContain("late");
  }, 60_000);

  it("is unsent at once if 1,000 others wait for a connection", async () => {
    kafka.freeze();
    const waiting: Promise<string>[] = [];
    let ended = 0;
    for (let n = 0; n < 1008; n += 1) {
      waiting.push(attempt(n % 12, `${n}`, { timeoutMs: 10_000 }).finally(() => (ended += 1)));
      // Appends of one turn of the event loop go together.
      await new Promise(setImmediate);
    }
    expect(await attempt(0, "one too many", { timeoutMs: 20_000 })).toBe("unsent BROKER_UNAVAILABLE");
    expect(ended).toBe(0);
    const outcomes = await Promise.all(waiting);
    expect(new Set(outcomes)).toEqual(new Set(["unknown BROKER_AMBIGUOUS", "unsent BROKER_UNAVAILABLE"]));
  }, 60_000);

  it("is unsent while Kafka is away, and goes on when it is back", async () => {
    expect(await attempt(0, "before")).toBe("stored at 0");
    proxy.refuse();
    let asked = 0;
    const mayWrite = (): boolean => {
      asked += 1;
      return true;
    };
    // The gateway may not know yet that its connection is broken, and write to it.
    expect(await attempt(0, "away", { mayWrite })).toMatch(/^un/);
    const before = asked;
    expect(await attempt(0, "away", { mayWrite })).toBe("unsent BROKER_UNAVAILABLE");
    expect(asked).toBe(before);
    own.reconnect();
    while ((await attempt(0, "after")) !== "stored at 1") continue;
    expect(await stored()).toEqual(["after", "before"]);
  }, 30_000);

  it("ends at a killed broker, and nothing is stored twice", async () => {
    const outcomes: string[] = [];
    const attempts = (async () => {
      for (let n = 0; n < 2000 && !outcomes.some((outcome) => outcome.startsWith("un")); n += 1)
        outcomes.push(await attempt(0, `${n}`));
    })();
    while (outcomes.length < 20) await new Promise((resolve) => setTimeout(resolve, 5));
    await kafka.kill();
    await attempts;
    await kafka.start();
    const values = await stored();
    const those = (start: string) =>
      outcomes.flatMap((outcome, n) => (outcome.startsWith(start) ? [`${n}`] : []));
    expect(values).toEqual(expect.arrayContaining(those("stored")));
    expect(those("unsent").filter((value) => values.includes(value))).toEqual([]);
    expect(new Set(values).size).toBe(values.length);
  }, 120_000);
});

/** The group protocols on a real Kafka: what a rebalance touches, and the change from one client or protocol to another. */
import type { Broker, ConsumedRecord, Subscription, TopicPartition } from "../../../src/broker/broker.ts";
import { createKafkaBroker } from "../../../src/broker/kafka/kafka-broker.ts";
import type { KafkaOptions } from "../../../src/broker/kafka/options.ts";
import { createChanges } from "../../support/changes.ts";
import { describeKafka, describeOwnKafka, uniqueName } from "../../support/kafka/describe.ts";
import { type KafkaServer, startKafka } from "../../support/kafka/server.ts";
import { numbered, record, subscribe } from "../conformance/tools.ts";
import { kafkaOptions, READERS } from "./options.ts";

const PARTITIONS = 60;

/** Opens brokers, and closes them after the test. */
const createBrokers = (addresses: () => readonly string[]) => {
  const open: Broker[] = [];
  afterEach(async () => {
    await Promise.all(open.splice(0).map((broker) => broker.close()));
  });
  return async (changes: Partial<KafkaOptions>): Promise<Broker> => {
    const broker = createKafkaBroker(kafkaOptions(addresses(), changes));
    await broker.open();
    open.push(broker);
    return broker;
  };
};

const numbersOf = (partitions: readonly TopicPartition[]): readonly number[] =>
  partitions.map(({ partition }) => partition);

describeKafka("the group protocols", (kafka) => {
  const open = createBrokers(() => kafka.brokers);

  it("with KIP-848: a new member of a group of 60 partitions interrupts none of those that stay", async () => {
    const broker = await open({ consumer: "platformatic", groupProtocol: "consumer" });
    const topic = uniqueName("sixty");
    await broker.ensureTopic({ name: topic, partitions: PARTITIONS });
    const { changed, until } = createChanges();
    const log: { readonly call: string; readonly partitions: readonly number[] }[] = [];
    const received: ConsumedRecord[] = [];
    let release = (): void => undefined;
    const options = { group: uniqueName("sixty"), topics: [topic], from: "earliest" } as const;
    const first: Subscription = await broker.subscribe(options, {
      onAssigned: (partitions) => {
        log.push({ call: "assigned", partitions: numbersOf(partitions) });
        changed();
      },
      // The deliveries of the partitions that move last until `release` is called.
      onRevoked: (partitions) =>
        new Promise((resolve) => {
          log.push({ call: "revoked", partitions: numbersOf(partitions) });
          release = resolve;
          changed();
        }),
      onRecords: (records) => {
        received.push(...records);
        changed();
      },
    });
    await until(() => first.assignment.length === PARTITIONS);

    const other = await open({ consumer: "platformatic", groupProtocol: "consumer" });
    const second = await subscribe(other, options);
    await until(() => log.some(({ call }) => call === "revoked"));
    const moving = log.find(({ call }) => call === "revoked")?.partitions ?? [];
    const staying = Array.from({ length: PARTITIONS }, (_, partition) => partition).filter(
      (partition) => !moving.includes(partition),
    );
    // While the partitions that move are not released, the others are delivered, and the new member gets nothing.
    const each = staying.map((partition) => record("meanwhile", { partition }));
    await broker.append(topic, each);
    await until(() => received.length === staying.length);

    expect(moving).toHaveLength(PARTITIONS / 2);
    expect(numbersOf(received).toSorted((a, b) => a - b)).toEqual(staying);
    expect(second.held).toEqual([]);

    release();
    await second.until(() => second.held.length === PARTITIONS / 2);
    await broker.append(
      topic,
      Array.from({ length: PARTITIONS }, (_, partition) => record("after", { partition })),
    );
    await until(() => received.length === 2 * staying.length);
    await second.until(() => second.records.length === moving.length);

    expect(numbersOf(second.held).toSorted((a, b) => a - b)).toEqual(moving.toSorted((a, b) => a - b));
    // No handler was called for a partition that stays, except for its records.
    expect(log.map(({ call }) => call)).toEqual(["assigned", "revoked"]);
    await second.close();
  }, 60_000);

  it("keep the positions of a running group while its members are replaced, one client and protocol after the other", async () => {
    const topic = uniqueName("upgrade");
    const group = uniqueName("upgrade");
    const setup = await open({});
    await setup.ensureTopic({ name: topic, partitions: 2 });
    const options = { group, topics: [topic], from: "earliest" } as const;
    let before: { readonly close: () => Promise<void> } | undefined;
    const values: (readonly string[])[] = [];

    for (const [at, [, reading]] of [...READERS, ...READERS.slice(0, 2).toReversed()].entries()) {
      const broker = await open(reading);
      const member = await subscribe(broker, options);
      // The old member leaves when the new one has joined.
      await member.until(() => member.held.length > 0);
      await before?.close();
      await member.until(() => member.held.length === 2);
      await setup.append(topic, [...numbered(1, 0, `${at}-`), ...numbered(1, 1, `${at}-`)]);
      await member.until(() => member.records.length >= 2);
      values.push(member.values().map(String));
      await member.subscription.commit(
        [0, 1].map((partition) => ({ topic, partition, offset: BigInt(at + 1) })),
      );
      before = member;
    }
    await before?.close();

    expect(values).toEqual(values.map((_, at) => [`${at}-0`, `${at}-0`]));
    expect(values).toHaveLength(5);
    expect(await setup.committed(group, topic)).toMatchObject([{ offset: 5n }, { offset: 5n }]);
  }, 120_000);
});

describeOwnKafka("a cluster without KIP-848", () => {
  let kafka: KafkaServer;
  beforeAll(async () => {
    kafka = await startKafka({ properties: { "group.coordinator.rebalance.protocols": "classic" } });
  }, 120_000);
  afterAll(async () => {
    await kafka.stop();
  });
  const open = createBrokers(() => kafka.brokers);

  it("tells it once, and its groups use the classic protocol", async () => {
    let told = 0;
    const broker = await open({
      ...{ consumer: "platformatic", groupProtocol: "consumer" },
      onClassicInstead: () => {
        told += 1;
      },
    });
    const topic = uniqueName("classic");
    await broker.ensureTopic({ name: topic, partitions: 2 });
    await broker.append(topic, numbered(2));
    for (const group of [uniqueName("classic"), uniqueName("classic")]) {
      const member = await subscribe(broker, { group, topics: [topic] });
      await member.until(() => member.records.length === 2);
      await member.close();
    }

    expect(told).toBe(1);
  }, 60_000);
});

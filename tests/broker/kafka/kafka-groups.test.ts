/** What only a real Kafka shows about membership by hand. The rest is in `conformance/membership.ts`. */
import kafkajs, { type Consumer, Kafka, logLevel, type PartitionAssigner } from "kafkajs";
import type { Broker } from "../../../src/broker/broker.ts";
import {
  decodeAssignment,
  decodeSubscription,
  encodeAssignment,
  encodeSubscription,
} from "../../../src/broker/consumer-protocol.ts";
import { createKafkaBroker } from "../../../src/broker/kafka/kafka-broker.ts";
import { createWireCluster } from "../../../src/broker/kafka/wire-cluster.ts";
import { describeKafka, describeOwnKafka, uniqueName } from "../../support/kafka/describe.ts";
import { startKafkaCluster, type KafkaCluster } from "../../support/kafka/cluster.ts";
import { startKafka, type KafkaServer } from "../../support/kafka/server.ts";
import { createHand, formed, type Hand, untilRebalancing } from "../conformance/membership.ts";
import { newTopic, numbered, store } from "../conformance/tools.ts";
import { kafkaOptions } from "./options.ts";

const { MemberAssignment, MemberMetadata } = kafkajs.AssignerProtocol;
const NO_DATA = Buffer.alloc(0);

/** Assigns partition 0 to the first member, 1 to the second. */
const range: PartitionAssigner = () => ({
  name: "range",
  version: 1,
  protocol: ({ topics }) => ({
    name: "range",
    metadata: MemberMetadata.encode({ version: 1, topics, userData: NO_DATA }),
  }),
  assign: ({ members }) =>
    Promise.resolve(
      members.map(({ memberId, memberMetadata }, partition) => {
        const [topic = ""] = MemberMetadata.decode(memberMetadata)?.topics ?? [];
        return {
          memberId,
          memberAssignment: MemberAssignment.encode({
            version: 1,
            assignment: { [topic]: [partition] },
            userData: NO_DATA,
          }),
        };
      }),
    ),
});

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describeKafka("a member by hand on Kafka", (kafka) => {
  let broker: Broker;
  const consumers: Consumer[] = [];

  beforeAll(() => {
    broker = createKafkaBroker(kafkaOptions(kafka.brokers));
  });
  afterEach(async () => {
    await Promise.all(consumers.splice(0).map((consumer) => consumer.disconnect()));
  });
  afterAll(() => broker.close());

  /** An ordinary kafkajs consumer with the assignor `range`. Resolves when it runs; its assignment may follow later. */
  const native = async (group: string, topic: string) => {
    const read: string[] = [];
    const client = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING });
    const consumer = client.consumer({
      groupId: group,
      partitionAssigners: [range],
      heartbeatInterval: 200,
      maxWaitTimeInMs: 100,
    });
    consumers.push(consumer);
    await consumer.connect();
    await consumer.subscribe({ topic, fromBeginning: true });
    const joined = new Promise<readonly number[]>((resolve) => {
      consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
        const partitions = payload.memberAssignment[topic];
        if (partitions !== undefined) resolve(partitions);
      });
    });
    await consumer.run({
      eachMessage: ({ partition, message }) => {
        read.push(`${partition}/${message.value?.toString()}`);
        return Promise.resolve();
      },
    });
    return { read, joined };
  };

  const offering = (group: string, topic: string): Hand => {
    const metadata = encodeSubscription({ topics: [topic], userData: Buffer.from("home") });
    return createHand(broker.groups, group, {
      protocols: ["by-hand", "range"].map((name) => ({ name, metadata })),
    });
  };

  it("sends heartbeats and commits while the join of another member of the same process waits", async () => {
    const topic = await newTopic(broker);
    const first = createHand(broker.groups, uniqueName("waits"));
    const second = createHand(broker.groups, first.group);
    await formed(first);
    const joining = second.join();
    await untilRebalancing(first);
    // Longer than the request timeout of the tests, which is 3 s.
    for (let round = 1; round <= 20; round += 1) {
      const sent = performance.now();
      expect(await first.heartbeat()).toBe("rebalancing");
      expect(await first.commit(topic, BigInt(round))).toBe("stored");
      await sleep(Math.max(0, 200 - (performance.now() - sent)));
    }
    await first.join();
    await expect(joining).resolves.toMatchObject({ status: "joined" });
    expect(await broker.committed(first.group, topic)).toMatchObject([{ offset: 20n }]);
    await Promise.all([first.leave(), second.leave()]);
  }, 60_000);

  it("is removed after its session timeout, and its commit is refused", async () => {
    const topic = await newTopic(broker);
    const silent = createHand(broker.groups, uniqueName("silent"), { sessionTimeout: 2000 });
    const next = createHand(broker.groups, silent.group);
    await formed(silent);
    expect(await silent.commit(topic, 5n)).toBe("stored");
    const begun = performance.now();
    // The group waits for the silent member's join until its session ends.
    await next.join();
    expect(performance.now() - begun).toBeGreaterThan(1500);
    expect(next.joined).toMatchObject({ leader: true });
    expect(await silent.heartbeat()).toBe("ended");
    expect(await silent.commit(topic, 3n)).toBe("refused");
    expect(await silent.join()).toEqual({ status: "ended" });
    expect(await broker.committed(silent.group, topic)).toMatchObject([{ offset: 5n }]);
    await next.leave();
  }, 60_000);

  it("has a session timeout outside Kafka's limits refused, by Kafka's name", async () => {
    const hand = createHand(broker.groups, uniqueName("limits"), { sessionTimeout: 10 });
    await expect(hand.join()).rejects.toMatchObject({
      code: "GROUP_REFUSED",
      cause: "INVALID_SESSION_TIMEOUT",
    });
  });

  it("stores a position without its metadata if Kafka finds the metadata too long", async () => {
    const topic = await newTopic(broker, { partitions: 2 });
    const hand = createHand(broker.groups, uniqueName("metadata"));
    await formed(hand);
    const answer = await broker.groups.commit(hand.member, [
      { topic, partition: 0, offset: 1n, metadata: "short" },
      { topic, partition: 1, offset: 2n, metadata: "x".repeat(5000) },
    ]);
    expect(answer).toBe("stored");
    expect(await broker.committed(hand.group, topic)).toEqual([
      { topic, partition: 0, offset: 1n, metadata: "short" },
      { topic, partition: 1, offset: 2n },
    ]);
    await hand.leave();
  });

  it("shares its group with a native consumer as the leader", async () => {
    const topic = await newTopic(broker, { partitions: 2 });
    await store(broker, topic, [...numbered(2, 0), ...numbered(2, 1)]);
    const hand = offering(uniqueName("shared"), topic);
    await formed(hand);
    const starting = native(hand.group, topic);
    await untilRebalancing(hand);
    await hand.join();
    expect(hand.joined).toMatchObject({ protocol: "range", leader: true });
    const members = hand.joined?.members ?? [];
    expect(members).toHaveLength(2);
    expect(members.map(({ metadata }) => decodeSubscription(metadata))).toEqual(
      expect.arrayContaining([
        { topics: [topic], userData: Buffer.from("home") },
        { topics: [topic], userData: NO_DATA },
      ]),
    );
    const assignments = members.map(({ memberId }) => ({
      memberId,
      assignment: encodeAssignment({
        partitions: [{ topic, partition: memberId === hand.member.memberId ? 0 : 1 }],
        userData: NO_DATA,
      }),
    }));
    const { signal } = new AbortController();
    await broker.groups.sync({ ...hand.member, protocol: "range" }, assignments, signal);
    const { read, joined } = await starting;
    expect(await joined).toEqual([1]);
    while (read.length < 2) await sleep(50);
    expect(read).toEqual(["1/0", "1/1"]);
    expect(await hand.heartbeat()).toBe("stable");
    expect(await hand.commit(topic, 2n)).toBe("stored");
    await hand.leave();
  }, 60_000);

  it("shares its group with a native consumer as a follower", async () => {
    const topic = await newTopic(broker, { partitions: 2 });
    const group = uniqueName("followed");
    const { joined } = await native(group, topic);
    expect(await joined).toEqual([0]);
    const hand = offering(group, topic);
    await hand.join();
    expect(hand.joined).toMatchObject({ protocol: "range", leader: false, members: [] });
    const answer = await hand.sync();
    const assignment = answer.status === "assigned" ? decodeAssignment(answer.assignment) : undefined;
    expect(assignment?.partitions).toMatchObject([{ topic }]);
    await hand.leave();
  }, 60_000);
});

describeOwnKafka("a member by hand, while Kafka", () => {
  let kafka: KafkaServer;
  let broker: Broker;
  const TIMES = { connectTimeout: 500, requestTimeout: 1500 };

  beforeAll(async () => {
    kafka = await startKafka();
    broker = createKafkaBroker(kafkaOptions(kafka.brokers, TIMES));
  }, 120_000);
  afterAll(async () => {
    await broker.close();
    await kafka.stop();
  });

  const expectUnavailable = async (hand: Hand, topic: string): Promise<void> => {
    const begun = performance.now();
    const another = createHand(broker.groups, uniqueName("another"));
    const outcomes = await Promise.allSettled([hand.heartbeat(), hand.commit(topic, 4n), another.join()]);
    // Far below what a request without a limit takes.
    expect(performance.now() - begun).toBeLessThan(2 * TIMES.requestTimeout);
    expect(outcomes).toMatchObject(
      outcomes.map(() => ({ status: "rejected", reason: { code: "BROKER_UNAVAILABLE" } })),
    );
  };

  it("is frozen, and after it is killed and restarted", async () => {
    const topic = await newTopic(broker);
    const hand = createHand(broker.groups, uniqueName("away"));
    await formed(hand);
    kafka.freeze();
    await expectUnavailable(hand, topic);
    kafka.thaw();
    while ((await hand.heartbeat().catch(() => "")) !== "stable") await sleep(100);

    await kafka.kill();
    await expectUnavailable(hand, topic);
    await kafka.start();
    // Kafka stores its members, so the group knows the member again.
    while ((await hand.heartbeat().catch(() => "")) !== "stable") await sleep(100);
    expect(await hand.commit(topic, 6n)).toBe("stored");
    await hand.leave();
  }, 120_000);
});

describeOwnKafka("a member by hand, when its coordinator fails", () => {
  let cluster: KafkaCluster;
  let broker: Broker;

  beforeAll(async () => {
    cluster = await startKafkaCluster(3);
    broker = createKafkaBroker(kafkaOptions(cluster.brokers, { requestTimeout: 15_000 }));
  }, 240_000);
  afterAll(async () => {
    await broker.close();
    await cluster.stop();
  });

  it("goes on with the next coordinator, under the same id and generation, and keeps offsets of leaderless partitions", async () => {
    const topic = await newTopic(broker);
    // Each node leads one of the partitions.
    const unreplicated = uniqueName("unreplicated");
    await broker.ensureTopic({ name: unreplicated, partitions: 3, replicationFactor: 1 });
    const ofUnreplicated = [0, 1, 2].map((partition) => ({ topic: unreplicated, partition, offset: 5n }));
    const hand = createHand(broker.groups, uniqueName("moves"), { sessionTimeout: 60_000 });
    await formed(hand);
    expect(await hand.commit(topic, 3n)).toBe("stored");
    expect(await broker.groups.commit(hand.member, ofUnreplicated)).toBe("stored");
    const wire = createWireCluster(kafkaOptions(cluster.brokers));
    const address = (await wire.coordinators([hand.group])).get(hand.group);
    const coordinator = cluster.nodes.find(
      ({ brokers }) => brokers[0] === `${address?.host}:${address?.port}`,
    );
    if (coordinator === undefined) throw new Error("no node of the cluster is the coordinator");
    await coordinator.kill();
    while ((await hand.heartbeat().catch(() => "")) !== "stable") await sleep(100);
    expect(await hand.commit(topic, 7n)).toBe("stored");
    expect(await broker.committed(hand.group, topic)).toMatchObject([{ offset: 7n }]);
    expect((await wire.leaders(unreplicated)).map((leader) => leader !== undefined).sort()).toEqual([
      false,
      true,
      true,
    ]);
    expect(await broker.committed(hand.group, unreplicated)).toEqual(ofUnreplicated);
    await wire.close();
    await coordinator.start();
    await hand.leave();
  }, 180_000);
});

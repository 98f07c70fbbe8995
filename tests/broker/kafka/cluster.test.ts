/** A cluster of three loses the leader under appends: another one takes over, and so do we. */
import type { Broker } from "../../../src/broker/broker.ts";
import { createKafkaBroker } from "../../../src/broker/kafka/kafka-broker.ts";
import { startKafkaCluster, type KafkaCluster } from "../../support/kafka/cluster.ts";
import { describeOwnKafka, uniqueName } from "../../support/kafka/describe.ts";
import type { KafkaServer } from "../../support/kafka/server.ts";
import { keepAppending, PARTITIONS } from "./ledger.ts";
import { kafkaOptions, WRITERS } from "./options.ts";

describeOwnKafka("a cluster that loses a leader", () => {
  let cluster: KafkaCluster;
  let broker: Broker;

  beforeAll(async () => {
    cluster = await startKafkaCluster(3);
  }, 180_000);

  afterEach(() => broker.close());

  afterAll(async () => {
    await cluster.stop();
  });

  interface Loss {
    readonly name: string;
    readonly begin: (leader: KafkaServer) => Promise<void>;
    readonly end: (leader: KafkaServer) => Promise<void>;
  }

  const losses: readonly Loss[] = [
    { name: "killed", begin: (leader) => leader.kill(), end: (leader) => leader.start() },
    {
      name: "frozen",
      begin: (leader) => {
        leader.freeze();
        return Promise.resolve();
      },
      end: (leader) => {
        leader.thaw();
        return Promise.resolve();
      },
    },
  ];

  it("is ready while the node that is asked first is frozen", async () => {
    const [frozen] = cluster.nodes;
    broker = createKafkaBroker(kafkaOptions(cluster.brokers, { requestTimeout: 5000 }));
    await broker.open();
    // From now on the first node is the one that is asked first.
    await broker.check();
    frozen?.freeze();
    try {
      const begun = performance.now();
      await expect(broker.check()).resolves.toBeUndefined();
      expect(performance.now() - begun).toBeLessThan(2000);
      await expect(broker.check()).resolves.toBeUndefined();
    } finally {
      frozen?.thaw();
    }
  });

  describe.each(WRITERS)("written by %s", (_, settings) => {
    it.each(losses)(
      "$name",
      async ({ begin, end }) => {
        const topic = uniqueName("led");
        broker = createKafkaBroker(
          kafkaOptions(cluster.brokers, { ...settings, requestTimeout: 1500, deliveryTimeout: 10_000 }),
        );
        await broker.open();
        await broker.ensureTopic({ name: topic, partitions: PARTITIONS });
        const appends = keepAppending(broker, topic);
        await appends.stored(200);
        const leader = await cluster.leaderOf(topic, 0);
        await begin(leader);
        await appends.stored(1000);
        await expect(broker.check()).resolves.toBeUndefined();
        await end(leader);
        await appends.stored(1000);
        const ledger = await appends.stop();

        expect(await ledger.contradictions(cluster.brokers)).toEqual([]);
        expect(settings.idempotent ? await ledger.duplicates(cluster.brokers) : []).toEqual([]);
      },
      120_000,
    );
  });
});

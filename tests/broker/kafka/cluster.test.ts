/** A cluster of three nodes loses a partition leader during appends. The gateway continues with the new leader. */
import type { Broker } from "../../../src/broker/broker.ts";
import { createKafkaBroker } from "../../../src/broker/kafka/kafka-broker.ts";
import type { KafkaOptions } from "../../../src/broker/kafka/options.ts";
import { startKafkaCluster, type KafkaCluster } from "../../support/kafka/cluster.ts";
import { describeOwnKafka, uniqueName } from "../../support/kafka/describe.ts";
import type { KafkaServer } from "../../support/kafka/server.ts";
import { keepAppending, PARTITIONS } from "./ledger.ts";
import { kafkaOptions, WRITERS } from "./options.ts";

describeOwnKafka("a cluster that loses a leader", () => {
  let cluster: KafkaCluster;
  let open: Broker[] = [];

  beforeAll(async () => {
    cluster = await startKafkaCluster(3);
  }, 180_000);

  afterEach(async () => {
    await Promise.all(open.map((broker) => broker.close()));
    open = [];
  });

  afterAll(async () => {
    await cluster.stop();
  });

  const connect = async (options: KafkaOptions): Promise<Broker> => {
    const broker = createKafkaBroker(options);
    open.push(broker);
    await broker.open();
    return broker;
  };

  interface Loss {
    readonly name: string;
    readonly begin: (leader: KafkaServer) => Promise<void>;
    readonly end: (leader: KafkaServer) => Promise<void>;
  }

  const losses: readonly Loss[] = [
    { name: "kill", begin: (leader) => leader.kill(), end: (leader) => leader.start() },
    {
      name: "freeze",
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

  it("is ready while the node that gets the first request is frozen", async () => {
    const [frozen] = cluster.nodes;
    const broker = await connect(kafkaOptions(cluster.brokers, { requestTimeout: 5000 }));
    // From now on the first node gets the first request.
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

  // All writers at once, because the cluster takes most of the time. Each node leads one of each topic's three partitions.
  it.each(losses)(
    "has true outcomes and stores again: $name (all producers)",
    async ({ begin, end }) => {
      const timeouts = { requestTimeout: 1500, deliveryTimeout: 10_000 };
      const writers = await Promise.all(
        WRITERS.map(async ([name, settings]) => {
          const topic = uniqueName("led");
          const broker = await connect(kafkaOptions(cluster.brokers, { ...settings, ...timeouts }));
          await broker.ensureTopic({ name: topic, partitions: PARTITIONS });
          return { name, settings, topic, broker, appends: keepAppending(broker, topic) };
        }),
      );
      const each = <T>(work: (writer: (typeof writers)[number]) => Promise<T>): Promise<T[]> =>
        Promise.all(writers.map(work));

      await each(({ appends }) => appends.stored(200));
      const leader = await cluster.leaderOf(writers[0]?.topic ?? "", 0);
      for (const { topic } of writers) expect(await cluster.leads(leader, topic)).toBe(true);
      await begin(leader);
      await each(async ({ broker, appends }) => {
        await appends.stored(1000);
        await expect(broker.check()).resolves.toBeUndefined();
      });
      await end(leader);
      const results = await each(async ({ name, settings, appends }) => {
        await appends.stored(1000);
        const ledger = await appends.stop();
        const contradictions = await ledger.contradictions(cluster.brokers);
        const duplicates = settings.idempotent ? await ledger.duplicates(cluster.brokers) : [];
        return { name, contradictions, duplicates };
      });

      expect(results).toEqual(WRITERS.map(([name]) => ({ name, contradictions: [], duplicates: [] })));
    },
    120_000,
  );
});

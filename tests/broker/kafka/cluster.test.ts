/** A cluster of three nodes loses a partition leader during appends. The gateway continues with the new leader. */
import type { Broker } from "../../../src/broker/broker.ts";
import { createKafkaBroker } from "../../../src/broker/kafka/kafka-broker.ts";
import type { KafkaOptions } from "../../../src/broker/kafka/options.ts";
import { nodeOf, startKafkaCluster, type KafkaCluster } from "../../support/kafka/cluster.ts";
import { describeOwnKafka, uniqueName } from "../../support/kafka/describe.ts";
import type { KafkaServer } from "../../support/kafka/server.ts";
import { created, eachWithin, keepAppending, PARTITIONS, type Appends } from "./ledger.ts";
import { kafkaOptions, WRITERS } from "./options.ts";

describeOwnKafka("a cluster that loses a leader", () => {
  let cluster: KafkaCluster;
  let open: Broker[] = [];
  let running: Appends[] = [];

  beforeAll(async () => {
    cluster = await startKafkaCluster(3);
  }, 180_000);

  afterEach(async () => {
    await cluster.heal();
    await Promise.all(running.map((appends) => appends.stop()));
    await Promise.all(open.map((broker) => broker.close()));
    running = [];
    open = [];
  }, 120_000);

  afterAll(async () => {
    await cluster.stop();
  });

  const connect = async (options: KafkaOptions): Promise<Broker> => {
    const broker = createKafkaBroker(options);
    open.push(broker);
    await broker.open();
    return broker;
  };

  const append = (broker: Broker, topic: string): Appends => {
    const appends = keepAppending(broker, topic);
    running.push(appends);
    return appends;
  };

  interface Loss {
    readonly name: string;
    readonly begin: (node: KafkaServer) => Promise<void> | void;
    readonly end: (node: KafkaServer) => Promise<void> | void;
  }

  const kill: Loss = { name: "kill", begin: (node) => node.kill(), end: (node) => node.start() };
  const freeze: Loss = {
    name: "freeze",
    begin: (node) => {
      node.freeze();
    },
    end: (node) => {
      node.thaw();
    },
  };
  // Node 1 is the first bootstrap server, and one of the nodes is the active controller.
  const losses = [
    { ...kill, node: 1 },
    { ...freeze, node: 1 },
    { ...freeze, node: 2 },
    { ...freeze, node: 3 },
  ];

  it("is ready while the node that gets the first request is frozen", async () => {
    const first = nodeOf(cluster, 1);
    const requestTimeout = 5000;
    const broker = await connect(kafkaOptions(cluster.brokers, { requestTimeout }));
    // From now on the first node gets the first request.
    await broker.check();
    first.freeze();
    const begun = performance.now();
    await expect(broker.check()).resolves.toBeUndefined();
    expect(performance.now() - begun).toBeLessThan(requestTimeout);
    await expect(broker.check()).resolves.toBeUndefined();
  });

  const TIMEOUTS = { requestTimeout: 1500, deliveryTimeout: 10_000 };

  /** All writers at once, because the cluster takes most of the time. Each node leads one of each topic's three partitions. */
  const startWriters = () =>
    eachWithin(
      WRITERS.map(([name, settings]) => ({ name, settings, topic: uniqueName("led") })),
      "creation of the topic",
      30_000,
      async (writer) => {
        const broker = await connect(kafkaOptions(cluster.brokers, { ...writer.settings, ...TIMEOUTS }));
        await created(broker, { name: writer.topic, partitions: PARTITIONS });
        return { ...writer, broker, appends: append(broker, writer.topic) };
      },
    );

  it.each(losses)(
    "has true outcomes and stores again: $name node $node (all producers)",
    async ({ node, begin, end }) => {
      const writers = await startWriters();
      await eachWithin(writers, "appends before the failure", 20_000, ({ appends }) => appends.stored(200));
      const leader = nodeOf(cluster, node);
      for (const { topic } of writers) expect(await cluster.leads(leader, topic)).toBe(true);

      await begin(leader);
      await eachWithin(writers, "appends during the failure", 40_000, async ({ broker, appends }) => {
        await appends.stored(1000);
        await expect(broker.check()).resolves.toBeUndefined();
      });
      await end(leader);
      await eachWithin(writers, "appends after the failure", 30_000, ({ appends }) => appends.stored(1000));

      const results = await eachWithin(writers, "comparison with the log", 30_000, async (writer) => {
        const { name, settings, appends } = writer;
        const { contradictions, duplicates } = await (await appends.stop()).compare(cluster.brokers);
        return { name, contradictions, duplicates: settings.idempotent ? duplicates : [] };
      });
      expect(results).toEqual(WRITERS.map(([name]) => ({ name, contradictions: [], duplicates: [] })));
    },
    300_000,
  );
});

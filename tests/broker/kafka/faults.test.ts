/** Kafka fails during appends. Each reported outcome is true, and the gateway recovers by itself. */
import type { Broker } from "../../../src/broker/broker.ts";
import { createKafkaBroker } from "../../../src/broker/kafka/kafka-broker.ts";
import type { KafkaOptions } from "../../../src/broker/kafka/options.ts";
import { describeOwnKafka, uniqueName } from "../../support/kafka/describe.ts";
import type { TcpProxy } from "../../support/kafka/proxy.ts";
import {
  prepareKafka,
  startProxiedKafka,
  type KafkaServer,
  type ProxiedKafka,
} from "../../support/kafka/server.ts";
import { readTopic } from "../../support/each-broker.ts";
import { record } from "../conformance/tools.ts";
import { created, eachWithin, keepAppending, PARTITIONS, type Appends } from "./ledger.ts";
import { kafkaOptions, WRITERS } from "./options.ts";

const IMPATIENT = { connectTimeout: 500, requestTimeout: 1000, deliveryTimeout: 2500 };

describeOwnKafka("appends during a Kafka failure", () => {
  let own: ProxiedKafka;
  let kafka: KafkaServer;
  let proxy: TcpProxy;
  let open: Broker[] = [];
  let running: Appends[] = [];
  const unhandled: unknown[] = [];
  const onUnhandled = (reason: unknown): void => {
    unhandled.push(reason);
  };

  beforeAll(async () => {
    process.on("unhandledRejection", onUnhandled);
    own = await startProxiedKafka();
    ({ kafka, proxy } = own);
  }, 120_000);

  beforeEach(() => {
    own.reconnect();
  });

  afterEach(async () => {
    await kafka.heal();
    await Promise.all(running.map((appends) => appends.stop()));
    await Promise.all(open.map((broker) => broker.close()));
    running = [];
    open = [];
  }, 120_000);

  afterAll(async () => {
    process.off("unhandledRejection", onUnhandled);
    await own.stop();
  });

  const connect = async (options: KafkaOptions): Promise<Broker> => {
    const broker = createKafkaBroker(options);
    await broker.open();
    open.push(broker);
    return broker;
  };

  interface Fault {
    readonly name: string;
    readonly begin: () => Promise<void> | void;
    readonly end: () => Promise<void> | void;
  }

  const faults: readonly Fault[] = [
    { name: "kill and restart", begin: () => kafka.kill(), end: () => kafka.start() },
    {
      name: "freeze and thaw",
      begin: () => {
        kafka.freeze();
      },
      end: () => {
        kafka.thaw();
      },
    },
    {
      name: "lost connectivity",
      begin: () => {
        proxy.refuse();
      },
      end: () => {
        own.reconnect();
      },
    },
  ];

  // All writers at once, because the failure and the recovery of the broker take most of the time.
  it.each(faults)(
    "have true outcomes and recover after: $name (all producers)",
    async ({ begin, end }) => {
      const writers = await eachWithin(
        WRITERS.map(([name, settings]) => ({ name, settings, topic: uniqueName("fault") })),
        "creation of the topic",
        20_000,
        async (writer) => {
          const broker = await connect(kafkaOptions([proxy.address], { ...writer.settings, ...IMPATIENT }));
          await created(broker, { name: writer.topic, partitions: PARTITIONS });
          const appends = keepAppending(broker, writer.topic);
          running.push(appends);
          return { ...writer, broker, appends };
        },
      );
      await eachWithin(writers, "appends before the failure", 20_000, ({ appends }) => appends.stored(200));

      await begin();
      await eachWithin(writers, "appends during the failure", 30_000, async ({ broker, appends }) => {
        await appends.failed();
        await expect(broker.check()).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
        await appends.failed();
      });
      await end();
      const results = await eachWithin(
        writers,
        "appends after the failure and comparison with the log",
        60_000,
        async (writer) => {
          const { name, settings, broker, appends } = writer;
          await appends.stored(200);
          await expect(broker.check()).resolves.toBeUndefined();
          const { contradictions, duplicates } = await (await appends.stop()).compare(kafka.brokers);
          return { name, contradictions, duplicates: settings.idempotent ? duplicates : [] };
        },
      );

      expect(results).toEqual(WRITERS.map(([name]) => ({ name, contradictions: [], duplicates: [] })));
    },
    240_000,
  );

  it("work once Kafka is up if it starts after the gateway (all producers)", async () => {
    const late = await prepareKafka();
    try {
      const writers = await Promise.all(
        WRITERS.map(async ([, settings]) => {
          const broker = await connect(kafkaOptions(late.brokers, { ...settings, ...IMPATIENT }));
          await expect(broker.check()).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
          const topic = uniqueName("late");
          expect(await broker.append(topic, [record("a")])).toMatchObject([
            { error: { code: "BROKER_UNAVAILABLE" } },
          ]);
          return { topic, broker };
        }),
      );
      await late.start();
      const results = await Promise.all(
        writers.map(async ({ topic, broker }) => {
          await created(broker, { name: topic });
          const outcomes = await broker.append(topic, [record("b")]);
          await expect(broker.check()).resolves.toBeUndefined();
          await broker.close();
          return outcomes;
        }),
      );
      expect(results).toMatchObject(WRITERS.map(() => [{ status: "stored", offset: 0n }]));
    } finally {
      await late.stop();
    }
  }, 90_000);

  describe.each(WRITERS)("written by %s", (_, settings) => {
    it("retries a batch whose acknowledgement is lost", async () => {
      const topic = uniqueName("cut");
      const broker = await connect(kafkaOptions([proxy.address], { ...settings, ...IMPATIENT }));
      await broker.ensureTopic({ name: topic, partitions: 1 });
      await broker.append(topic, [record("before")]);
      const cut = proxy.cutAtNextAnswer();
      const appended = broker.append(topic, [record("cut")]);
      await cut;
      const [outcome] = await appended;
      await broker.append(topic, [record("after")]);

      const values = (await readTopic(kafka.brokers, topic)).map(({ value }) => value.toString());
      const stored = settings.idempotent ? ["before", "cut", "after"] : ["before", "cut", "cut", "after"];
      expect(values).toEqual(stored);
      expect(outcome).toMatchObject({ status: "stored", offset: BigInt(stored.lastIndexOf("cut")) });
    }, 30_000);
  });

  it("leave no rejection unhandled", () => {
    expect(unhandled).toEqual([]);
  });
});

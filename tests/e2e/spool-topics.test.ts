/** The gateway starts while Kafka is away, and the topics of its stations do not exist when Kafka comes: no spooled event is refused. */
import { setTimeout as sleep } from "node:timers/promises";
import { Kafka, logLevel } from "kafkajs";
import { readTopic } from "../support/each-broker.ts";
import { type Gateway, startGateway } from "../support/gateway.ts";
import { describeOwnKafka, uniqueName } from "../support/kafka/describe.ts";
import { type KafkaServer, prepareKafka } from "../support/kafka/server.ts";
import { linesOf, until } from "../support/log-lines.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

describeOwnKafka("the spool and topics that do not exist yet", () => {
  let kafka: KafkaServer;

  beforeEach(async () => {
    kafka = await prepareKafka();
  }, 120_000);
  afterEach(() => kafka.stop());

  const start = (station: string, settings: object): Promise<Gateway> =>
    startGateway({
      settings: {
        broker: { type: "kafka", kafka: { brokers: [...kafka.brokers], deliveryTimeout: "3s" } },
        spool: { dir: temporaryDirectory("spool-topics-"), after: "300ms", for: ["webhooks"] },
        webhooks: [{ source: "open", station, scheme: "none" }],
        stations: [{ name: station, partitions: 1 }],
        ...settings,
      },
    });

  const deliver = async (gateway: Gateway, n: number): Promise<number> => {
    const answer = await fetch(`${gateway.url}/webhooks/open`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ n }),
    });
    return answer.status;
  };

  const isDirect = (gateway: Gateway): boolean =>
    linesOf(gateway, "the spool has no events of this topic; new events go to Kafka").length > 0;

  const storedIn = async (station: string): Promise<readonly unknown[]> =>
    (await readTopic(kafka.brokers, station)).map(({ value }) => JSON.parse(value.toString()) as unknown);

  it("creates the topic of a declared station before it drains", async () => {
    const station = uniqueName("hooks");
    const gateway = await start(station, {});
    for (const n of [1, 2, 3]) expect(await deliver(gateway, n)).toBe(202);
    // The next attempt to create topics in the background is some seconds away.
    await until(() => linesOf(gateway, "topic could not be created yet").length >= 2);
    await kafka.start();
    await until(() => isDirect(gateway));
    expect(await storedIn(station)).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
    await gateway[Symbol.asyncDispose]();
  }, 180_000);

  it("waits for a topic that somebody else creates", async () => {
    const station = uniqueName("hooks");
    const gateway = await start(station, { provisionTopics: false, autoCreateStations: false });
    expect(await deliver(gateway, 1)).toBe(202);
    await kafka.start();
    await until(
      () =>
        linesOf(gateway, "Kafka refuses the topic of spooled events; they wait for spool.refusedAfter")
          .length > 0,
    );
    await sleep(500);
    expect(isDirect(gateway)).toBe(false);
    const admin = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING }).admin();
    await admin.createTopics({ topics: [{ topic: station, numPartitions: 1 }], waitForLeaders: false });
    await admin.disconnect();
    await until(() => isDirect(gateway));
    expect(await storedIn(station)).toEqual([{ n: 1 }]);
    await gateway[Symbol.asyncDispose]();
  }, 180_000);
});

/**
 * A rolling restart as clients see it: real Kafka, three gateways behind nginx with the shipped configuration, and
 * each gateway is stopped and started again under load. The topology is that of compose.yaml, without containers.
 */
import { describeKafka, uniqueName } from "../support/kafka/describe.ts";
import { startGateway, signIn, type Gateway } from "../support/gateway.ts";
import { startLoad } from "../support/load.ts";
import { startNginx, type Nginx } from "../support/nginx.ts";
import { readTopic } from "../support/each-broker.ts";
import { describeWithTools } from "../support/tools.ts";

const GATEWAYS = 3;
const CLIENTS = 24;
/** Enough events to use each gateway and each connection between two restarts. */
const EVENTS_BETWEEN = 1500;

describeWithTools("a rolling restart", ["nginx"], () => {
  describeKafka("behind nginx", (kafka) => {
    let gateways: Gateway[] = [];
    let nginx: Nginx;

    beforeAll(async () => {
      const start = (): Promise<Gateway> =>
        startGateway({ settings: { broker: { type: "kafka", kafka: { brokers: [...kafka.brokers] } } } });
      gateways = await Promise.all(Array.from({ length: GATEWAYS }, start));
      nginx = await startNginx(gateways.map(({ url }) => new URL(url).host));
    }, 60_000);

    afterAll(async () => {
      await nginx[Symbol.asyncDispose]();
      await Promise.all(gateways.map((gateway) => gateway[Symbol.asyncDispose]()));
    });

    it("loses no acknowledged event and causes no error at a client", async () => {
      const [first] = gateways;
      if (first === undefined) throw new Error("no gateway");
      const station = uniqueName("rolling");
      const token = await signIn(first);
      const load = startLoad({ url: nginx.url, token, station, clients: CLIENTS });
      let expected = EVENTS_BETWEEN;
      await load.acknowledged(expected);
      for (const [index, gateway] of gateways.entries()) {
        expect(await gateway.stop("SIGTERM")).toBe(0);
        gateways[index] = await gateway.restart();
        expected += EVENTS_BETWEEN;
        await load.acknowledged(expected);
      }
      const { acknowledged, statuses, broken } = await load.stop();
      expect({ statuses: [...statuses], broken: [...broken] }).toEqual({ statuses: [], broken: [] });
      const stored = new Set((await readTopic(kafka.brokers, station)).map(({ value }) => value.toString()));
      expect(acknowledged.filter((id) => !stored.has(JSON.stringify({ id })))).toEqual([]);
      expect(acknowledged.length).toBeGreaterThanOrEqual(expected);
    }, 180_000);
  });
});

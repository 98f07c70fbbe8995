/** A cluster of three Kafka nodes has faults under load on every API: events, their order, readers and a connector. */
import { setTimeout as sleep } from "node:timers/promises";
import path from "node:path";
import { createConnector } from "../support/connector-api.ts";
import { mountSmallDisk, type SmallDisk } from "../support/disk/small-disk.ts";
import { readTopic } from "../support/each-broker.ts";
import {
  API_NAMES,
  type EveryApi,
  type Numbered,
  startEveryApi,
  WEBHOOK_SECRET,
} from "../support/every-api.ts";
import { type Gateway, signIn, startGateway } from "../support/gateway.ts";
import { type HttpSink, startHttpSink } from "../support/http-sink.ts";
import { type KafkaCluster, nodeOf, startKafkaCluster } from "../support/kafka/cluster.ts";
import { describeOwnKafka, uniqueName } from "../support/kafka/describe.ts";
import type { KafkaServer } from "../support/kafka/server.ts";

const SIZE = 3;
/** Mebibytes; the disk of the third node. */
const DISK = 400;

/** A status; 50302 and 50003 of the REST Proxy's API; the status of a line of a stream. Some of these events may be stored. */
const UNAVAILABLE = /^503|^50003$|^unavailable |^unknown /;

/** A repeat can meet the look for the event of the first try. */
const WITH_IDS: ReadonlySet<string> = new Set(["batch with an Idempotency-Key", "webhook"]);

const numbersOf = (events: readonly Numbered[], key: string): readonly number[] =>
  events.filter((event) => event.key === key).map(({ n }) => n);

/** The numbers without repetitions. */
const firsts = (numbers: readonly number[]): readonly number[] => [...new Set(numbers)];

const upTo = (last: number): readonly number[] => Array.from({ length: last }, (_, i) => i + 1);

describeOwnKafka("a cluster of three nodes", () => {
  let disk: SmallDisk;
  /** The node on the small disk. */
  let full: KafkaServer;
  let cluster: KafkaCluster;
  let gateway: Gateway;
  let sink: HttpSink;
  let token: string;
  let station: string;
  let load: EveryApi;

  const stations = ["reassigned", "killed", "full", "restarted", "alone"].map((name) => uniqueName(name));

  beforeAll(async () => {
    disk = mountSmallDisk(DISK, "ext4");
    cluster = await startKafkaCluster(SIZE, [undefined, undefined, path.join(disk.directory, "kafka")]);
    full = nodeOf(cluster, SIZE);
    gateway = await startGateway({
      settings: {
        server: { host: "127.0.0.1", port: 0, workers: 2 },
        broker: { type: "kafka", kafka: { brokers: [...cluster.brokers] } },
        delivery: { allowTargets: ["127.0.0.0/8"] },
        stations: stations.map((name) => ({ name, key: "/key", partitions: 3 })),
        webhooks: stations.map((name) => ({
          source: name,
          station: name,
          scheme: "github",
          secrets: [WEBHOOK_SECRET],
        })),
      },
    });
    sink = await startHttpSink();
    token = await signIn(gateway);
  }, 240_000);

  // After a failed test the next one begins with a whole cluster and without load.
  afterEach(async () => {
    await disk.free();
    await cluster.heal();
    await load.stop();
  }, 120_000);

  afterAll(async () => {
    await gateway[Symbol.asyncDispose]();
    await sink.close();
    await cluster.stop();
    disk.unmount();
  }, 60_000);

  /** Reads as a group until a read is empty. */
  const readAll = async (group: string): Promise<readonly Numbered[]> => {
    const events: Numbered[] = [];
    for (;;) {
      const answer = await fetch(`${gateway.url}/stations/${station}/consume/batch`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: JSON.stringify({ consumer_name: group, batch_size: 5000, batch_max_wait_time_ms: 500 }),
      });
      // A second try succeeds.
      if (answer.status === 503) {
        await sleep(1000);
        continue;
      }
      expect(answer.status).toBe(200);
      const messages = (await answer.json()) as readonly { readonly message: string }[];
      if (messages.length === 0) return events;
      events.push(...messages.map(({ message }) => JSON.parse(message) as Numbered));
    }
  };

  const begin = async (index: number): Promise<void> => {
    station = stations[index] ?? "";
    load = startEveryApi({ url: gateway.url, token, station });
    await createConnector(gateway, station, {
      ...{ sink, topic: station },
      "callback.request.url": `${sink.url}/${station}`,
      "callback.request.timeout": 1000,
    });
    await load.stored(5);
  };

  /**
   * Nothing that was acknowledged is lost, the order of each key is kept, and the only errors are 503s, of which a repeat succeeds. `isLong`:
   * the fault lasts longer than the waiting time of a call.
   */
  const end = async ({ isLong = false } = {}): Promise<void> => {
    await load.stored(5);
    const reports = await load.stop();
    process.stderr.write(
      `${station} ${JSON.stringify([...reports].map(([name, report]) => ({ ...report, name, faults: [...report.faults] })))}\n`,
    );
    const stored = (await readTopic(cluster.brokers, station)).map(
      ({ value }) => JSON.parse(value.toString()) as Numbered,
    );
    const read = await readAll(uniqueName("group"));
    const wanted = new Map(API_NAMES.map((name) => [name, upTo(reports.get(name)?.acknowledged ?? 0)]));
    const delivered = (): readonly Numbered[] =>
      sink.requests
        .filter(({ url }) => url === `/${station}`)
        .map(({ body }) => JSON.parse(body) as Numbered);
    for (const [name, numbers] of wanted) {
      expect([name, "stored", firsts(numbersOf(stored, name))]).toEqual([name, "stored", numbers]);
      expect([name, "read", firsts(numbersOf(read, name))]).toEqual([name, "read", numbers]);
      await sink.until(() => firsts(numbersOf(delivered(), name)).length >= numbers.length);
      expect([name, "delivered", firsts(numbersOf(delivered(), name))]).toEqual([name, "delivered", numbers]);
    }
    for (const [name, { faults, tries }] of reports) {
      expect([name, [...faults.keys()].filter((fault) => !UNAVAILABLE.test(fault))]).toEqual([name, []]);
      if (!isLong) expect(tries).toBeLessThanOrEqual(WITH_IDS.has(name) ? 3 : 2);
    }
  };

  it("moves its leaders by reassignment", async () => {
    await begin(0);
    await cluster.moveLeaders(station);
    await load.stored(5);
    await cluster.moveLeaders(station);
    await end();
  }, 180_000);

  it("loses its leaders by kill -9", async () => {
    await begin(1);
    for (const node of cluster.nodes.slice(0, 2)) {
      expect(await cluster.leads(node, station)).toBe(true);
      await node.kill();
      await load.stored(5);
      await node.start();
      await cluster.inSync();
    }
    await end();
  }, 240_000);

  it("has a node with a full disk", async () => {
    await begin(2);
    await disk.fill(0);
    await full.ended();
    await load.stored(5);
    await disk.free();
    await full.start();
    await cluster.inSync();
    await end();
  }, 240_000);

  it("is restarted node by node", async () => {
    await begin(3);
    for (const node of cluster.nodes) {
      await node.kill("SIGTERM");
      await load.stored(2);
      await node.start();
      await cluster.inSync();
    }
    await end();
  }, 240_000);

  it("has one node left: 503 at once, also from the readiness, and all again when the others return", async () => {
    await begin(4);
    await Promise.all([nodeOf(cluster, 2).kill(), nodeOf(cluster, 3).kill()]);
    while ((await fetch(`${gateway.url}/readyz`)).status !== 503) await sleep(50);
    const produce = (): Promise<Response> =>
      fetch(`${gateway.url}/stations/${station}/produce/single`, {
        method: "POST",
        headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
        body: '{"key":"other","n":1}',
      });
    // An event that came before its worker has noticed waits for its deadline of 10 s; all later ones don't.
    await produce();
    const begun = performance.now();
    const answers = await Promise.all(Array.from({ length: 8 }, produce));
    expect(performance.now() - begun).toBeLessThan(5000);
    expect(answers.map(({ status, headers }) => [status, headers.has("retry-after")])).toEqual(
      answers.map(() => [503, true]),
    );
    await cluster.heal();
    await cluster.inSync();
    while ((await fetch(`${gateway.url}/readyz`)).status !== 200) await sleep(50);
    await end({ isLong: true });
  }, 240_000);
});

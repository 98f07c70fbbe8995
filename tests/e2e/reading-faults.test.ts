/**
 * What the clients of `consume/batch` see in a fault: three gateways on a real Kafka behind nginx without affinity. The
 * times are those of `reading.sessionTimeout: 10s`; `SLACK` is added to each of them for a busy machine.
 */
import { once } from "node:events";
import { connect } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { describeOwnKafka, uniqueName } from "../support/kafka/describe.ts";
import { startKafka, type KafkaServer } from "../support/kafka/server.ts";
import { watchCommits } from "../support/reading/commits.ts";
import { startPods, type Pod, type Pods } from "../support/reading/pods.ts";
import {
  batchOf,
  callerOf,
  failuresOf,
  numbersOf,
  repeatsOf,
  startBatchReaders,
} from "../support/reading/readers.ts";
import { describeWithTools } from "../support/tools.ts";

const SLACK = 10_000;
/** Events that were committed this many milliseconds before a fault are not repeated. */
const COMMITTED = 2000;
const PARTITIONS = 3;

const STATIONS = Array.from({ length: 6 }, (_, n) => ({ name: `faults-${n}`, partitions: PARTITIONS }));

describeWithTools("reading from three gateways", ["nginx"], () => {
  describeOwnKafka("behind nginx", () => {
    let kafka: KafkaServer;
    let pods: Pods;
    let stations = 0;

    beforeAll(async () => {
      kafka = await startKafka();
      pods = await startPods({ brokers: kafka.brokers, stations: STATIONS });
    }, 180_000);

    afterEach(async () => {
      await kafka.heal();
      await pods.heal();
    }, 120_000);

    afterAll(async () => {
      await pods.stop();
      await kafka.stop();
    });

    /** A new station and group, read through `url`. */
    const setUp = (url = pods.url) => {
      const station = `faults-${stations}`;
      stations += 1;
      let produced = 0;
      const produce = async (count: number, through: Pod = pods.otherThan()): Promise<void> => {
        const call = callerOf({ url: through.gateway.url, token: pods.token });
        const body = Array.from({ length: count }, (_, n) => ({ n: produced + n, text: "x".repeat(200) }));
        produced += count;
        const { status } = await call({ method: "POST", path: `/stations/${station}/produce/batch`, body });
        expect(status).toBe(200);
      };
      const options = { url, token: pods.token, station, group: uniqueName("group") };
      return { ...options, options, produce };
    };

    it("continue at the committed offsets on another gateway after kill -9 of the home", async () => {
      const { options, station, group, produce } = setUp();
      await produce(2000);
      const commits = watchCommits(pods.admin, group, station);
      const readers = startBatchReaders({ ...options, clients: 3 });
      await readers.has(2000);
      await commits.reaches(2000);
      await sleep(COMMITTED);
      const home = await pods.homeOf(group);
      const killed = Date.now();
      await home.kill();
      await produce(1000, pods.otherThan(home));
      await readers.has(3000);
      expect(Date.now() - killed).toBeLessThan(15_000 + SLACK);
      await readers.stop();

      expect(repeatsOf(readers).filter(({ at }) => at < killed - COMMITTED)).toEqual([]);
      // 0 and 502: the connections of the killed process. nginx does not repeat a POST.
      expect(
        Object.keys(failuresOf(readers)).filter((status) => !["0", "502", "503"].includes(status)),
      ).toEqual([]);
      expect(await commits.stop()).toEqual([]);
    }, 120_000);

    it("get the events of a killed gateway that is not the home at once", async () => {
      const { options, group, produce, station } = setUp();
      await produce(1);
      const call = callerOf(options);
      while (numbersOf(await call(batchOf(options))).length === 0) await sleep(100);
      await produce(5000);
      const home = await pods.homeOf(group);
      const other = pods.otherThan(home);
      const { hostname, port } = new URL(other.gateway.url);
      const body = JSON.stringify(batchOf({ ...options, count: 5000 }).body);
      const socket = connect({ host: hostname, port: Number(port) });
      socket
        .on("error", () => undefined)
        .write(
          `POST /stations/${station}/consume/batch HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ${pods.token}\r\n` +
            `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
        );
      await once(socket, "data");
      socket.pause();
      const killed = Date.now();
      await other.kill();
      const direct = callerOf({ url: home.gateway.url, token: pods.token });
      const seen = new Set<number>();
      while (seen.size < 5000)
        for (const n of numbersOf(await direct(batchOf({ ...options, count: 5000 })))) seen.add(n);
      expect(Date.now() - killed).toBeLessThan(8000);
      socket.destroy();
    }, 60_000);

    it("read on while the home is frozen, and through it after it thaws", async () => {
      const { options, station, group, produce } = setUp();
      await produce(1000);
      const commits = watchCommits(pods.admin, group, station);
      const home = await pods.homeOf(group);
      const readers = startBatchReaders({ ...options, url: home.gateway.url, clients: 2 });
      await readers.has(1000);
      await commits.reaches(1000);
      await sleep(COMMITTED);
      const frozen = Date.now();
      home.freeze();
      const others = startBatchReaders({ ...options, url: pods.otherThan(home).gateway.url, clients: 2 });
      await produce(1000, pods.otherThan(home));
      await others.has(1000);
      expect(Date.now() - frozen).toBeLessThan(15_000 + SLACK);
      await commits.reaches(2000);
      await others.stop();
      await sleep(Math.max(0, frozen + 25_000 - Date.now()));
      const thawed = Date.now();
      home.thaw();
      await produce(1000);
      await readers.has(2000);
      expect(Date.now() - thawed).toBeLessThan(10_000 + SLACK);
      await readers.stop();

      const numbers = [...readers.deliveries, ...others.deliveries].map(({ n }) => n);
      expect(new Set(numbers).size).toBe(3000);
      // The events that were committed before the freeze. Later events came again in some runs (decision 4, "Open").
      expect(numbers.filter((n) => n < 1000)).toHaveLength(1000);
      expect(await commits.stop()).toEqual([]);
    }, 120_000);

    it("get 503 within 10 s and no empty answer while Kafka is away, and continue by themselves", async () => {
      const { options, station, group, produce } = setUp();
      await produce(1000);
      const commits = watchCommits(pods.admin, group, station);
      const readers = startBatchReaders({ ...options, clients: 3 });
      await readers.has(1000);
      await commits.reaches(1000);
      await sleep(COMMITTED);
      kafka.freeze();
      // An answer may be empty if each leader answered within the last second.
      const away = Date.now() + 1000;
      await sleep(12_000);
      const back = Date.now();
      kafka.thaw();
      await produce(1000);
      await readers.has(2000);
      await readers.stop();

      const during = readers.answers.filter(({ ended }) => ended > away && ended < back);
      expect(new Set(during.map(({ status }) => status))).toEqual(new Set([503]));
      for (const { began, ended } of during) expect(ended - began).toBeLessThan(10_000 + 2000);
      expect(repeatsOf(readers)).toEqual([]);
      expect(await commits.stop()).toEqual([]);
    }, 120_000);

    it("see no error and no repeat in a rolling restart", async () => {
      const { options, station, group, produce } = setUp();
      const commits = watchCommits(pods.admin, group, station);
      const readers = startBatchReaders({ ...options, clients: 6 });
      await produce(1000);
      await readers.has(1000);
      for (const [index, pod] of pods.all.entries()) {
        await pod.restart("SIGTERM");
        await pods.heal();
        await produce(1000);
        await readers.has(2000 + 1000 * index);
      }
      await commits.reaches(4000);
      await readers.stop();

      expect(failuresOf(readers)).toEqual({});
      expect(repeatsOf(readers)).toEqual([]);
      expect(await commits.stop()).toEqual([]);
    }, 180_000);
  });
});

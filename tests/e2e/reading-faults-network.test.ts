/** What clients of `consume/batch` see if the network between two gateways is cut, or if a worker is killed. Real Kafka. */
import { setTimeout as sleep } from "node:timers/promises";
import path from "node:path";
import { freePort } from "../support/free-port.ts";
import { describeOwnKafka, uniqueName } from "../support/kafka/describe.ts";
import { startTcpProxy, type TcpProxy } from "../support/kafka/proxy.ts";
import { startKafka, type KafkaServer } from "../support/kafka/server.ts";
import { startPods, type Pods } from "../support/reading/pods.ts";
import { batchOf, callerOf, failuresOf, numbersOf, startBatchReaders } from "../support/reading/readers.ts";
import { repeatsOf } from "../support/reading/repeats.ts";
import { describeWithTools } from "../support/tools.ts";

const SLACK = 10_000;
const STATIONS = [
  { name: "cut", partitions: 3 },
  { name: "worker", partitions: 3 },
];
const PRELOAD = path.resolve("tests/support/reading/redirect-connections.mjs");

describeWithTools("reading", ["nginx"], () => {
  describeOwnKafka("from gateways", () => {
    let kafka: KafkaServer;
    let pods: Pods | undefined;

    beforeAll(async () => {
      kafka = await startKafka();
    }, 120_000);

    afterEach(() => pods?.stop());
    afterAll(() => kafka.stop());

    const produce = async (station: string, from: number, to: number): Promise<void> => {
      const { token = "", url = "" } = pods ?? {};
      const body = Array.from({ length: to - from }, (_, n) => ({ n: from + n }));
      const call = callerOf({ url, token });
      const { status } = await call({ method: "POST", path: `/stations/${station}/produce/batch`, body });
      expect(status).toBe(200);
    };

    it("gets 503 where the call has to cross a cut, and works at the home", async () => {
      const peerPorts = [await freePort(), await freePort()];
      const proxies: TcpProxy[] = [];
      for (const port of peerPorts) {
        const proxy = await startTcpProxy();
        proxy.forwardTo(`127.0.0.1:${port}`);
        proxies.push(proxy);
      }
      const redirected = Object.fromEntries(peerPorts.map((port, n) => [port, proxies[n]?.port]));
      pods = await startPods({
        brokers: kafka.brokers,
        stations: STATIONS,
        size: 2,
        peerPorts,
        podOptions: () => ({
          nodeFlags: ["--import", PRELOAD],
          env: { REDIRECTED_PORTS: JSON.stringify(redirected) },
        }),
      });
      const options = { url: pods.url, token: pods.token, station: "cut", group: uniqueName("cut") };
      await produce("cut", 0, 500);
      const readers = startBatchReaders({ ...options, clients: 2 });
      await readers.has(500);
      await readers.stop();
      expect(failuresOf(readers)).toEqual({});
      const home = await pods.homeOf(options.group);
      const far = callerOf({ url: pods.otherThan(home).gateway.url, token: pods.token });
      expect((await far(batchOf(options))).status).toBe(200);

      for (const proxy of proxies) proxy.silence();
      await produce("cut", 500, 600);
      const { status, began, ended } = await far(batchOf({ ...options, waitMs: 20_000 }));
      expect(status).toBe(503);
      expect(ended - began).toBeLessThan(5000 + SLACK);
      const near = startBatchReaders({ ...options, url: home.gateway.url });
      await near.has(100);
      await near.stop();
      expect(failuresOf(near)).toEqual({});
      expect(await pods.homeOf(options.group)).toBe(home);

      for (const [n, proxy] of proxies.entries()) {
        proxy.refuse();
        proxy.forwardTo(`127.0.0.1:${peerPorts[n] ?? 0}`);
      }
      await produce("cut", 600, 700);
      const seen = new Set<number>();
      while (seen.size < 100) for (const n of numbersOf(await far(batchOf(options)))) seen.add(n);
      expect([...seen].filter((n) => n < 600)).toEqual([]);
      await Promise.all(proxies.map((proxy) => proxy.stop()));
    }, 120_000);

    it("goes on at the other worker after kill -9 of a worker", async () => {
      pods = await startPods({
        brokers: kafka.brokers,
        stations: STATIONS,
        size: 1,
        settings: {
          server: { host: "127.0.0.1", port: 0, workers: 2 },
          reading: { peer: { host: "127.0.0.1" } },
        },
      });
      const options = { url: pods.url, token: pods.token, station: "worker", group: uniqueName("worker") };
      await produce("worker", 0, 1000);
      const readers = startBatchReaders({ ...options, clients: 4 });
      await readers.has(1000);
      await sleep(2000);
      const killed = Date.now();
      const pid = await pods.homeWorkerOf(options.group);
      process.kill(pid, "SIGKILL");
      await sleep(500);
      await produce("worker", 1000, 2000);
      await readers.has(2000);
      expect(Date.now() - killed).toBeLessThan(15_000 + SLACK);
      await readers.stop();
      expect(repeatsOf(readers.deliveries).filter(({ at }) => at < killed - 2000)).toEqual([]);
      expect(
        Object.keys(failuresOf(readers)).filter((status) => !["0", "502", "503"].includes(status)),
      ).toEqual([]);
    }, 120_000);
  });
});

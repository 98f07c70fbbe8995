/**
 * What the clients of `consume/batch` and of v2 instances see in a fault: three gateways on a real Kafka behind nginx without
 * affinity. The times are those of `reading.sessionTimeout: 10s`. The waiting times of the faults overlap to save time.
 */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import { describeOwnKafka } from "../support/kafka/describe.ts";
import { startKafka, type KafkaServer } from "../support/kafka/server.ts";
import { type CommitWatch, watchCommits } from "../support/reading/commits.ts";
import { type EventProducer, startProducer } from "../support/reading/events.ts";
import { startInstanceReaders } from "../support/reading/instances.ts";
import { startPods, type Pod, type Pods } from "../support/reading/pods.ts";
import {
  batchOf,
  callerOf,
  failuresOf,
  numbersOf,
  type Reader,
  type ReaderOptions,
  startBatchReaders,
} from "../support/reading/readers.ts";
import { COMMITTED_MS, wrongRepeats } from "../support/reading/repeats.ts";
import { describeWithTools } from "../support/tools.ts";

/** Added to the time in which a new home serves, for a busy machine. */
const SLACK = 5000;
const FROZEN_MS = 30_000;
const PARTITIONS = 3;
/** Their answer is larger than the buffers of a connection. */
const LARGE = { count: 2500, bytes: 5000 };

/** The tests use five stations, and a test that is run once more needs new ones. */
const STATIONS = Array.from({ length: 10 }, (_, n) => ({ name: `faults-${n}`, partitions: PARTITIONS }));

/** A station, a group of each API, and what they have committed. */
interface Side {
  readonly station: string;
  readonly batch: string;
  readonly instances: string;
  readonly batchCommits: CommitWatch;
  readonly instanceCommits: CommitWatch;
  produce(count: number): Promise<number>;
  /** Resolves when both groups have committed this number of events. */
  committed(count: number): Promise<void>;
}

const different = (...readers: readonly Reader[]): number =>
  new Set(readers.flatMap(({ deliveries }) => deliveries.map(({ n }) => n))).size;

const statusesOf = ({ answers }: Reader): readonly number[] => [
  ...new Set(answers.map(({ status }) => status)),
];

describeWithTools("reading from three gateways", ["nginx"], () => {
  describeOwnKafka("behind nginx", () => {
    let kafka: KafkaServer;
    let pods: Pods;
    let producer: EventProducer;
    let stations = 0;

    beforeAll(async () => {
      kafka = await startKafka();
      pods = await startPods({ brokers: kafka.brokers, stations: STATIONS });
      producer = await startProducer(kafka.brokers, PARTITIONS);
    }, 180_000);

    afterEach(async () => {
      await kafka.heal();
      await pods.heal();
    }, 120_000);

    afterAll(async () => {
      await producer.stop();
      await pods.stop();
      await kafka.stop();
    });

    /** A new station with 1,000 events and two groups, whose home is this pod. */
    const setUp = async (home: Pod): Promise<Side> => {
      const station = `faults-${stations}`;
      stations += 1;
      const produce = (count: number): Promise<number> => producer.produce(station, count);
      await produce(1000);
      const [batch, instances] = [await pods.groupOn(home), await pods.groupOn(home)];
      const watch = (groupId: string): CommitWatch =>
        watchCommits(pods.admin, { groupId, topic: station, partitions: PARTITIONS });
      const [batchCommits, instanceCommits] = [watch(batch), watch(instances)];
      return {
        ...{ station, batch, instances, batchCommits, instanceCommits, produce },
        committed: async (count) => {
          await Promise.all([batchCommits.reaches(count), instanceCommits.reaches(count)]);
        },
      };
    };

    const readBatch = ({ station, batch: group }: Side, url: string, clients: number): Reader =>
      startBatchReaders({ url, token: pods.token, station, group, clients });

    const readInstances = ({ station, instances: group }: Side, url: string) =>
      startInstanceReaders({ url, token: pods.token, station, group, clients: 2 });

    /** No event is missing or repeated against the promise, and no committed offset went back. */
    const expectPromise = async (
      side: Side,
      { batch, instances }: { readonly batch: readonly Reader[]; readonly instances: Reader },
      { total, faults }: { readonly total: number; readonly faults: readonly number[] },
    ): Promise<void> => {
      expect([await side.batchCommits.stop(), await side.instanceCommits.stop()]).toEqual([[], []]);
      expect([different(...batch), different(instances)]).toEqual([total, total]);
      const ofBatch = batch.flatMap(({ deliveries }) => deliveries);
      expect(wrongRepeats(ofBatch, side.batchCommits, faults)).toEqual([]);
      expect(wrongRepeats(instances.deliveries, side.instanceCommits, faults)).toEqual([]);
    };

    /** Asks for all large events through this pod, and takes only the beginning of the answer. */
    const readBeginning = async (options: ReaderOptions, through: Pod): Promise<Socket> => {
      const { hostname, port } = new URL(through.gateway.url);
      const body = JSON.stringify(batchOf({ ...options, count: LARGE.count }).body);
      const socket = connect({ host: hostname, port: Number(port) });
      socket
        .on("error", () => undefined)
        .write(
          `POST /stations/${options.station}/consume/batch HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ${pods.token}\r\n` +
            `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
        );
      await once(socket, "data");
      return socket.pause();
    };

    it("read on when one gateway is frozen and another killed, and through the frozen one after its thaw", async () => {
      const [cold, dead, alive] = pods.all as [Pod, Pod, Pod];
      const [frozen, killed] = [await setUp(cold), await setUp(dead)];
      const { url } = alive.gateway;
      const atFrozen = readBatch(frozen, cold.gateway.url, 2);
      const frozenInstances = await readInstances(frozen, url);
      const killedBatch = readBatch(killed, url, 2);
      const killedInstances = await readInstances(killed, url);
      await Promise.all([frozen.committed(1000), killed.committed(1000)]);

      const options = {
        url,
        token: pods.token,
        station: await largeEvents(),
        group: await pods.groupOn(alive),
      };
      const call = callerOf(options);
      const socket = await readBeginning(options, dead);
      await sleep(COMMITTED_MS);

      const fault = Date.now();
      cold.freeze();
      await dead.kill();
      const atAlive = readBatch(frozen, url, 2);
      const large = new Set<number>();
      while (large.size < LARGE.count) for (const n of numbersOf(await call(batchOf(options)))) large.add(n);
      // Before `reading.answerTimeout`: the broken connection makes them free.
      expect(Date.now() - fault).toBeLessThan(8000);
      socket.destroy();

      await Promise.all([frozen.produce(1000), killed.produce(1000)]);
      await Promise.all([
        atAlive.has(1000),
        frozenInstances.reader.has(2000),
        killedBatch.has(2000),
        killedInstances.reader.has(2000),
      ]);
      const served = Date.now() - fault;
      expect(served).toBeLessThan(15_000 + SLACK);
      await Promise.all([frozen.committed(2000), killed.committed(2000)]);
      await atAlive.stop();
      await dead.restart("SIGKILL");
      await sleep(Math.max(0, fault + FROZEN_MS - Date.now()));

      const thawed = Date.now();
      cold.thaw();
      await Promise.all([frozen.produce(1000), killed.produce(1000)]);
      await atFrozen.has(2000);
      const servedAgain = Date.now() - thawed;
      expect(servedAgain).toBeLessThan(10_000);
      await Promise.all([
        frozenInstances.reader.has(3000),
        killedBatch.has(3000),
        killedInstances.reader.has(3000),
      ]);
      await Promise.all([frozen.committed(3000), killed.committed(3000)]);
      await pods.heal();
      const readers = [atFrozen, killedBatch, frozenInstances.reader, killedInstances.reader];
      await Promise.all(readers.map((reader) => reader.stop()));
      process.stderr.write(`served after ${served} ms, ${servedAgain} ms after the thaw\n`);

      const faults = [fault];
      const [ofFrozen, ofKilled] = [frozenInstances.reader, killedInstances.reader];
      await expectPromise(
        frozen,
        { batch: [atFrozen, atAlive], instances: ofFrozen },
        { total: 3000, faults },
      );
      await expectPromise(killed, { batch: [killedBatch], instances: ofKilled }, { total: 3000, faults });
      // No 404: the instances have outlived their home.
      for (const reader of [...readers, atAlive])
        expect(statusesOf(reader).filter((status) => ![200, 503].includes(status))).toEqual([]);
    }, 180_000);

    /** A station with the large events. */
    const largeEvents = async (): Promise<string> => {
      const station = `faults-${stations}`;
      stations += 1;
      for (let n = 0; n < LARGE.count; n += 100) await producer.produce(station, 100, LARGE.bytes);
      return station;
    };

    it("get 503 within 10 s and no empty answer while Kafka is away, and continue by themselves", async () => {
      const side = await setUp(pods.otherThan());
      const batch = readBatch(side, pods.url, 3);
      const { reader: instances } = await readInstances(side, pods.url);
      await side.committed(1000);
      await sleep(COMMITTED_MS);
      kafka.freeze();
      // An answer may be empty if each leader answered within the last second.
      const away = Date.now() + 1000;
      await sleep(12_000);
      const back = Date.now();
      kafka.thaw();
      await side.produce(1000);
      await Promise.all([batch.has(2000), instances.has(2000)]);
      await side.committed(2000);
      await Promise.all([batch.stop(), instances.stop()]);

      for (const { answers } of [batch, instances]) {
        const during = answers.filter(({ ended }) => ended > away && ended < back);
        expect(new Set(during.map(({ status }) => status))).toEqual(new Set([503]));
        for (const { began, ended } of during) expect(ended - began).toBeLessThan(10_000 + 2000);
      }
      await expectPromise(side, { batch: [batch], instances }, { total: 2000, faults: [] });
    }, 120_000);

    it("see no error and no repeat in a rolling restart", async () => {
      const side = await setUp(pods.otherThan());
      const batch = readBatch(side, pods.url, 6);
      const { reader: instances, answers } = await readInstances(side, pods.url);
      const end = new AbortController();
      const producing = produceUntil(end.signal, side);
      for (const pod of pods.all) {
        await pod.restart("SIGTERM");
        await pods.heal();
      }
      end.abort();
      const total = await producing;
      await Promise.all([batch.has(total), instances.has(total)]);
      await side.committed(total);
      await Promise.all([batch.stop(), instances.stop()]);

      const failures = [
        failuresOf(batch),
        failuresOf(instances),
        failuresOf({ answers: answers.filter(isFailure) }),
      ];
      if (failures.some((one) => Object.keys(one).length > 0)) process.stderr.write(await pods.proxyErrors());
      expect(failures).toEqual([{}, {}, {}]);
      await expectPromise(side, { batch: [batch], instances }, { total, faults: [] });
    }, 180_000);

    const isFailure = ({ status }: { readonly status: number }): boolean => status === 0 || status >= 300;

    /** Stores 50 events each 100 ms. Resolves to their number. */
    const produceUntil = async (end: AbortSignal, side: Side): Promise<number> => {
      let total = 0;
      while (!end.aborted) {
        total = await side.produce(50);
        await sleep(100);
      }
      return total;
    };
  });
});

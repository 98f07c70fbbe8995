/**
 * Reads through nginx while every 10 s one of three gateways is killed and started again: `consume/batch` and v2 instances
 * read the same events. `READING_SECONDS=100` reads 100,000 events; `READING_REBALANCE_DELAY=3000` runs on a Kafka with its
 * default `group.initial.rebalance.delay.ms`.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { Kafka, logLevel } from "kafkajs";
import { describeOwnKafka } from "../support/kafka/describe.ts";
import { startKafka, type KafkaServer } from "../support/kafka/server.ts";
import { startInstanceReaders } from "../support/reading/instances.ts";
import { startPods, type Pods } from "../support/reading/pods.ts";
import { failuresOf, repeatsOf, startBatchReaders, type Reader } from "../support/reading/readers.ts";
import { describeWithTools } from "../support/tools.ts";

const SECONDS = Number(process.env["READING_SECONDS"] ?? 25);
const REBALANCE_DELAY = process.env["READING_REBALANCE_DELAY"] ?? "0";
const PER_SECOND = 1000;
const KILL_EVERY = 10_000;
const STATION = "long";
const PARTITIONS = 6;
/** Events are committed after the answer, those of an instance with its next call: milliseconds for both. */
const COMMITTED = { batch: 2000, instances: 4000 };

describeWithTools("100,000 events", ["nginx"], () => {
  describeOwnKafka("read while gateways are killed", () => {
    let kafka: KafkaServer;
    let pods: Pods;

    beforeAll(async () => {
      kafka = await startKafka({ properties: { "group.initial.rebalance.delay.ms": REBALANCE_DELAY } });
      pods = await startPods({
        brokers: kafka.brokers,
        stations: [{ name: STATION, partitions: PARTITIONS }],
      });
    }, 180_000);

    afterAll(async () => {
      await pods.stop();
      await kafka.stop();
    });

    /** Stores the events without a gateway, so that none is stored twice. */
    const produceAll = async (): Promise<number> => {
      const producer = new Kafka({ brokers: [...kafka.brokers], logLevel: logLevel.NOTHING }).producer();
      await producer.connect();
      let stored = 0;
      for (let second = 0; second < SECONDS; second += 1) {
        const next = Date.now() + 1000;
        const messages = Array.from({ length: PER_SECOND }, (_, i) => {
          const n = stored + i;
          return { value: JSON.stringify({ n }), partition: n % PARTITIONS };
        });
        await producer.send({ topic: STATION, messages });
        stored += PER_SECOND;
        await sleep(Math.max(0, next - Date.now()));
      }
      await producer.disconnect();
      return stored;
    };

    /** Every 10 s kills a pod and starts it again. Returns the times of the kills. */
    const killUntil = async (end: AbortSignal): Promise<readonly number[]> => {
      const kills: number[] = [];
      for (let n = 0; ; n += 1) {
        await sleep(KILL_EVERY, undefined, { signal: end }).catch(() => undefined);
        const pod = pods.all[n % pods.all.length];
        if (end.aborted || pod === undefined) return kills;
        kills.push(Date.now());
        await pod.restart("SIGKILL");
      }
    };

    /** Repeats that no kill explains. */
    const wrongRepeats = (reader: Reader, kills: readonly number[], committed: number) =>
      repeatsOf(reader).filter(
        ({ at, again }) => !kills.some((killed) => at > killed - committed && killed < again),
      );

    const summary = (name: string, reader: Reader): string =>
      `${name}: ${repeatsOf(reader).length} repeats, not 200: ${JSON.stringify(failuresOf(reader))}`;

    const limit = (SECONDS + 120) * 1000;

    it(
      "are all delivered, repeat only what was not committed, and get no 404",
      async () => {
        const options = { url: pods.url, token: pods.token, station: STATION, clients: 3, count: 500 };
        const batch = startBatchReaders({ ...options, group: "long-batch" });
        const { reader: instances, answers } = await startInstanceReaders({ ...options, group: "long-v2" });
        const end = new AbortController();
        const killing = killUntil(end.signal);
        const total = await produceAll();
        end.abort();
        const kills = await killing;
        await Promise.all([batch.has(total), instances.has(total)]);
        await Promise.all([batch.stop(), instances.stop()]);

        process.stderr.write(
          `${total} events, ${kills.length} kills; ${summary("batch", batch)}; ${summary("instances", instances)}\n`,
        );
        expect(wrongRepeats(batch, kills, COMMITTED.batch)).toEqual([]);
        expect(wrongRepeats(instances, kills, COMMITTED.instances)).toEqual([]);
        const all = [...batch.answers, ...instances.answers, ...answers];
        expect(all.filter(({ status }) => ![0, 200, 204, 502, 503].includes(status))).toEqual([]);
      },
      limit,
    );
  });
});

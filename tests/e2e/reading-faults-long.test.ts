/**
 * Reads through nginx while one of three gateways is killed again and again, and started again: `consume/batch` and v2
 * instances read the same events. The short form has two kills. `READING_SECONDS=100` reads 100,000 events with a kill every
 * 10 s; `READING_REBALANCE_DELAY=3000` runs on a Kafka with its default `group.initial.rebalance.delay.ms`.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { describeOwnKafka } from "../support/kafka/describe.ts";
import { startKafka, type KafkaServer } from "../support/kafka/server.ts";
import { watchCommits } from "../support/reading/commits.ts";
import { startProducer } from "../support/reading/events.ts";
import { startInstanceReaders } from "../support/reading/instances.ts";
import { startPods, type Pods } from "../support/reading/pods.ts";
import { type Answered, startBatchReaders } from "../support/reading/readers.ts";
import { repeatsOf, wrongRepeats } from "../support/reading/repeats.ts";
import { describeWithTools } from "../support/tools.ts";

const SECONDS = Number(process.env["READING_SECONDS"] ?? 10);
const REBALANCE_DELAY = process.env["READING_REBALANCE_DELAY"] ?? "0";
const PER_SECOND = 1000;
const KILL_EVERY = SECONDS < 30 ? 4000 : 10_000;
const STATION = "long";
const PARTITIONS = 6;
const GROUPS = { batch: "long-batch", instances: "long-v2" };
/** 0, 502: the connections of the killed process. nginx does not repeat a POST. 503: the group has no home at the moment. */
const ALLOWED = [0, 200, 204, 502, 503];

describeWithTools("events", ["nginx"], () => {
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

    const produceAll = async (): Promise<number> => {
      const producer = await startProducer(kafka.brokers, PARTITIONS);
      let stored = 0;
      for (let second = 0; second < SECONDS; second += 1) {
        const next = Date.now() + 1000;
        stored = await producer.produce(STATION, PER_SECOND);
        await sleep(Math.max(0, next - Date.now()));
      }
      await producer.stop();
      return stored;
    };

    /** Kills a pod again and again, and starts it again. Returns the times of the kills. */
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

    const summaryOf = (answers: readonly Answered[]): string => {
      const counts: Record<string, number> = {};
      for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
      return JSON.stringify(counts);
    };

    it(
      "are all delivered, repeat only what was not committed, and get no 404",
      async () => {
        const watch = (groupId: string) =>
          watchCommits(pods.admin, { groupId, topic: STATION, partitions: PARTITIONS });
        const commits = { batch: watch(GROUPS.batch), instances: watch(GROUPS.instances) };
        const options = { url: pods.url, token: pods.token, station: STATION, clients: 3, count: 500 };
        const batch = startBatchReaders({ ...options, group: GROUPS.batch });
        const { reader: instances, answers } = await startInstanceReaders({
          ...options,
          group: GROUPS.instances,
        });
        const end = new AbortController();
        const killing = killUntil(end.signal);
        const total = await produceAll();
        end.abort();
        const kills = await killing;
        await Promise.all([batch.has(total), instances.has(total)]);
        await Promise.all([batch.stop(), instances.stop()]);
        const stepsBack = [await commits.batch.stop(), await commits.instances.stop()];

        const all = [...batch.answers, ...instances.answers, ...answers];
        for (const [name, reader] of Object.entries({ batch, instances }))
          process.stderr.write(
            `${name}: ${total} events, ${kills.length} kills, ${repeatsOf(reader.deliveries).length} repeats, answers ${summaryOf(reader.answers)}\n`,
          );
        expect(wrongRepeats(batch.deliveries, commits.batch, kills)).toEqual([]);
        expect(wrongRepeats(instances.deliveries, commits.instances, kills)).toEqual([]);
        expect(stepsBack).toEqual([[], []]);
        expect(all.filter(({ status }) => !ALLOWED.includes(status))).toEqual([]);
      },
      (SECONDS + 120) * 1000,
    );
  });
});

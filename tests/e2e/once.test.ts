/** One event for one id, on real Kafka with two pods of two workers. */
import { setTimeout as sleep } from "node:timers/promises";
import { Agent } from "undici";
import { describeKafkaApart, uniqueName } from "../support/kafka/describe.ts";
import { startLoad } from "../support/load.ts";
import { storedIds } from "../support/once/topic.ts";
import { linesOf } from "../support/log-lines.ts";
import { type Pod, type Pods, startPods } from "../support/reading/pods.ts";
import { describeWithTools } from "../support/tools.ts";

/** The specification asks for ONCE_IDS=20000 and ONCE_FROZEN_MS=30000. */
const IDS = Number(process.env["ONCE_IDS"] ?? 2000);
const KILLS = Number(process.env["ONCE_KILLS"] ?? 3);
/** Longer than the session of a home. */
const FROZEN_MS = Number(process.env["ONCE_FROZEN_MS"] ?? 15_000);
const CLIENTS = 16;
/** A client gives a request up after this time, and repeats it. */
const ANSWER_MS = 10_000;
const BETWEEN_FAULTS_MS = 5000;
/** With the headers of each event they have 9.6 MB. The peer port takes at most 9.4 MB. */
const EVENTS_OF_A_CALL = 1200;
const TRACE = "t".repeat(8000);
const TIMEOUT_MS = 300_000 + IDS * 50 + KILLS * BETWEEN_FAULTS_MS + FROZEN_MS;

describeWithTools("ids of events at two pods", ["nginx"], () => {
  describeKafkaApart("on Kafka", (kafka) => {
    const stations = ["pairs", "faults", "rolling"].map((use) => uniqueName(use));
    const [pairs = "", faults = "", rolling = ""] = stations;
    const large = uniqueName("large");
    let pods: Pods;
    const agent = new Agent({ connections: 32, pipelining: 1 });

    beforeAll(async () => {
      pods = await startPods({
        ...{ brokers: kafka.brokers, size: 2 },
        stations: [
          ...stations.map((name) => ({ name, partitions: 6, once: { id: "/id", window: "1h" } })),
          { name: large, partitions: 6 },
        ],
        settings: { server: { host: "127.0.0.1", port: 0, workers: 2 } },
      });
    }, 120_000);

    afterAll(async () => {
      await agent.close();
      await pods.stop();
    });

    /** Resolves to the status; 0: no answer. */
    const send = async (origin: string, station: string, id: string): Promise<number> => {
      try {
        const { statusCode, body } = await agent.request({
          ...{ origin, path: `/stations/${station}/produce/single`, method: "POST" },
          headers: { authorization: `Bearer ${pods.token}`, "content-type": "application/json" },
          body: JSON.stringify({ id }),
          headersTimeout: ANSWER_MS,
        });
        await body.dump();
        return statusCode;
      } catch {
        return 0;
      }
    };

    /**
     * Sends the event to both pods at the same moment, and repeats it until one of them has stored it. `copies`: waits for the
     * answers of both pods; a frozen pod answers late.
     */
    const sendUntilStored = async (station: string, id: string, copies: Promise<void>[]): Promise<void> => {
      let isStored = false;
      const sending = pods.all.map(async (_, first) => {
        for (let turn = first; !isStored; turn += 1) {
          const pod = pods.all[turn % pods.all.length];
          const status = pod === undefined ? 0 : await send(pod.gateway.url, station, id);
          if (status === 200) isStored = true;
          else if (![0, 409, 503].includes(status)) throw new Error(`answered ${status}`);
          else await sleep(50);
        }
      });
      copies.push(...sending);
      await Promise.race(sending);
    };

    it(
      "are stored once if both pods get them at the same moment",
      async () => {
        const ids = Array.from({ length: IDS }, (_, n) => `${n}`).values();
        const client = async (): Promise<void> => {
          for (const id of ids)
            await Promise.all(pods.all.map(({ gateway }) => send(gateway.url, pairs, id)));
        };
        await Promise.all(Array.from({ length: CLIENTS }, client));
        const stored = await storedIds(kafka.brokers, pairs);
        expect({ ...stored, ids: stored.ids.length }).toEqual({ ids: IDS, repeated: [], unmarked: 0 });
      },
      TIMEOUT_MS,
    );

    it(
      "are stored if a call has more bytes than a process takes of another one",
      async () => {
        const body = JSON.stringify(Array.from({ length: EVENTS_OF_A_CALL }, (_, n) => ({ id: `${n}` })));
        const call = async (origin: string, key: string) => {
          const answer = await agent.request({
            ...{ origin, path: `/stations/${large}/produce/batch`, method: "POST", body },
            headers: {
              ...{ authorization: `Bearer ${pods.token}`, "content-type": "application/json" },
              ...{ "idempotency-key": key, "x-trace": TRACE },
            },
          });
          return { status: answer.statusCode, body: await answer.body.text() };
        };
        // Each key has one home, and each pod is the home of about half of them.
        for (const key of ["a", "b", "c"])
          for (const { gateway } of pods.all)
            expect(await call(gateway.url, key)).toMatchObject({ status: 200 });
        const { ids, unmarked } = await storedIds(kafka.brokers, large);
        expect({ ids: ids.length, unmarked }).toEqual({ ids: 3 * EVENTS_OF_A_CALL, unmarked: 0 });
      },
      TIMEOUT_MS,
    );

    /** The newest worker of the pod. */
    const workerOf = ({ gateway }: Pod): number => {
      const pid = linesOf(gateway, "worker started").at(-1)?.pid;
      if (pid === undefined) throw new Error("no worker has started");
      return pid;
    };

    it(
      "are stored once although processes are killed and a pod is frozen",
      async () => {
        const [first, second] = pods.all as [Pod, Pod];
        let sent = 0;
        let isOver = false;
        const copies: Promise<void>[] = [];
        const client = async (): Promise<void> => {
          while (!isOver) await sendUntilStored(faults, `${sent++}`, copies);
        };
        const clients = Array.from({ length: CLIENTS }, client);
        for (let kill = 0; kill < KILLS; kill += 1) {
          await sleep(BETWEEN_FAULTS_MS);
          process.kill(workerOf(kill % 2 === 0 ? first : second), "SIGKILL");
        }
        await sleep(BETWEEN_FAULTS_MS);
        second.freeze();
        await sleep(FROZEN_MS);
        second.thaw();
        await sleep(BETWEEN_FAULTS_MS);
        isOver = true;
        await Promise.all(clients);
        await Promise.all(copies);
        const { ids, repeated, unmarked } = await storedIds(kafka.brokers, faults);
        expect({ ids: new Set(ids).size, repeated, unmarked }).toEqual({
          ids: sent,
          repeated: [],
          unmarked: 0,
        });
      },
      TIMEOUT_MS,
    );

    it(
      "are stored once, and no call fails, in a rolling restart",
      async () => {
        const load = startLoad({ url: pods.url, token: pods.token, station: rolling, clients: CLIENTS });
        await load.acknowledged(500);
        for (const pod of pods.all) {
          await pod.restart("SIGTERM");
          await pods.heal();
        }
        const { acknowledged, statuses, broken } = await load.stop();
        if (statuses.size > 0) process.stderr.write(await pods.proxyErrors());
        expect({ statuses: [...statuses], broken: [...broken] }).toEqual({ statuses: [], broken: [] });
        const { ids, repeated, unmarked } = await storedIds(kafka.brokers, rolling);
        expect({ ids: ids.length, repeated, unmarked }).toEqual({
          ...{ ids: acknowledged.length, repeated: [], unmarked: 0 },
        });
      },
      TIMEOUT_MS,
    );
  });
});

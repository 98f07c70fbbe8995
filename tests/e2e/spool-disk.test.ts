/** The spool on a disk without room or without rights: 503, readiness, and nothing that got 2xx is lost. */
import { randomUUID } from "node:crypto";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describeOnSmallDisks, mountSmallDisk, type SmallDisk } from "../support/disk/small-disk.ts";
import { readTopic } from "../support/each-broker.ts";
import { type Gateway, signIn, startGateway } from "../support/gateway.ts";
import { describeOwnKafka, uniqueName } from "../support/kafka/describe.ts";
import { type KafkaServer, startKafka } from "../support/kafka/server.ts";
import { linesOf, type LogLine, until } from "../support/log-lines.ts";

const NOWHERE = ["127.0.0.1:9"];

const start = (dir: string, brokers: readonly string[], workers = 1): Promise<Gateway> =>
  startGateway({
    settings: {
      server: { host: "127.0.0.1", port: 0, workers },
      broker: { type: "kafka", kafka: { brokers: [...brokers], deliveryTimeout: "3s" } },
      spool: { dir, after: "300ms", for: ["station:*"] },
      log: { level: "debug" },
    },
  });

/** Sends requests, each on a new connection, until each worker has answered one. */
const askWorkers = async (
  gateway: Gateway,
  workers: number,
  ask: (headers: Record<string, string>) => Promise<string>,
): Promise<readonly string[]> => {
  const answers = new Map<number | undefined, string>();
  while (answers.size < workers) {
    const id = randomUUID();
    const answer = await ask({ connection: "close", "x-request-id": id });
    const ended = (): LogLine | undefined =>
      linesOf(gateway, "request").find((line) => line["requestId"] === id);
    await until(() => ended() !== undefined, "the request is in the log");
    answers.set(ended()?.worker, answer);
  }
  return [...answers.values()];
};

/** The status and the code of `/readyz` of each worker. */
const readiness = (gateway: Gateway, workers: number): Promise<readonly string[]> =>
  askWorkers(gateway, workers, async (headers) => {
    const answer = await fetch(`${gateway.url}/readyz`, { headers });
    const { code } = (await answer.json()) as { readonly code?: string };
    return [answer.status, code].filter((part) => part !== undefined).join(" ");
  });

describeOwnKafka("the spool on small disks", () => {
  let kafka: KafkaServer;

  beforeAll(async () => {
    kafka = await startKafka();
  }, 120_000);
  afterEach(() => kafka.heal(), 120_000);
  afterAll(() => kafka.stop());

  describeOnSmallDisks("with a full disk", (kind) => {
    let disk: SmallDisk;

    beforeEach(() => {
      disk = mountSmallDisk(16, kind);
    });
    afterEach(() => {
      disk.unmount();
    });

    it.each([1, 2])(
      "is not ready until there is room, and loses nothing (workers: %i)",
      async (workers) => {
        await using gateway = await start(path.join(disk.directory, "spool"), kafka.brokers, workers);
        const token = await signIn(gateway);
        const station = uniqueName("full-disk");
        const acknowledged: number[] = [];
        let next = 0;
        const send = (): Promise<readonly string[]> =>
          askWorkers(gateway, workers, async (headers) => {
            const n = next++;
            const { status } = await fetch(`${gateway.url}/stations/${station}/produce/single`, {
              method: "POST",
              headers: { ...headers, authorization: `Bearer ${token}` },
              body: JSON.stringify({ n, pad: "x".repeat(20_000) }),
            });
            if (status === 200) acknowledged.push(n);
            return String(status);
          });
        const each = (answer: string): readonly string[] => Array.from({ length: workers }, () => answer);
        const untilEach = (
          ask: () => Promise<readonly string[]>,
          answer: string,
          what: string,
        ): Promise<void> =>
          until(async () => (await ask()).every((given) => given === answer), `${what}: ${answer}`);
        const areReady = (): Promise<readonly string[]> => readiness(gateway, workers);

        await untilEach(send, "200", "events are stored");
        await kafka.kill();
        await untilEach(send, "200", "events are spooled");
        expect(await areReady()).toEqual(each("200"));

        await disk.fill(0);
        await untilEach(send, "503", "the disk is full");
        await untilEach(areReady, "503 SPOOL_FULL", "no worker is ready");
        await sleep(1500);
        expect(await areReady()).toEqual(each("503 SPOOL_FULL"));
        expect(await send()).toEqual(each("503"));

        await disk.free();
        await untilEach(areReady, "200", "the workers are ready");
        expect(await send()).toEqual(each("200"));

        await kafka.start();
        const isDrained = async (): Promise<boolean> =>
          !(await (await fetch(`${gateway.url}/readyz`)).text()).includes("spooling");
        await until(isDrained, "the spool is drained");
        const stored = (await readTopic(kafka.brokers, station)).map(
          ({ value }) => (JSON.parse(value.toString()) as { readonly n: number }).n,
        );
        expect(acknowledged.filter((n) => !stored.includes(n))).toEqual([]);
      },
      300_000,
    );
  });
});

describeOnSmallDisks("the spool in a read-only directory", (kind) => {
  it("stops the start with one line", async () => {
    const disk = mountSmallDisk(16, kind);
    try {
      disk.makeReadOnly();
      await expect(start(disk.directory, NOWHERE)).rejects.toThrow(
        `spool.dir: ${disk.directory} cannot be written (EROFS)`,
      );
    } finally {
      disk.unmount();
    }
  }, 60_000);
});

/** The spool on a disk without room or without rights: 503, readiness, and nothing that got 2xx is lost. */
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describeOnSmallDisks, mountSmallDisk, type SmallDisk } from "../support/disk/small-disk.ts";
import { readTopic } from "../support/each-broker.ts";
import { type Gateway, signIn, startGateway } from "../support/gateway.ts";
import { describeOwnKafka, uniqueName } from "../support/kafka/describe.ts";
import { type KafkaServer, startKafka } from "../support/kafka/server.ts";
import { until } from "../support/log-lines.ts";

const NOWHERE = ["127.0.0.1:9"];

const start = (dir: string, brokers: readonly string[], workers = 1): Promise<Gateway> =>
  startGateway({
    settings: {
      server: { host: "127.0.0.1", port: 0, workers },
      broker: { type: "kafka", kafka: { brokers: [...brokers], deliveryTimeout: "3s" } },
      spool: { dir, after: "300ms", for: ["station:*"] },
    },
  });

/** The status and the code of `/readyz` in several requests, which several workers answer. Each is listed once. */
const readiness = async (gateway: Gateway): Promise<readonly string[]> => {
  const answers = new Set<string>();
  for (let i = 0; i < 6; i += 1) {
    const answer = await fetch(`${gateway.url}/readyz`, { headers: { connection: "close" } });
    const { code } = (await answer.json()) as { readonly code?: string };
    answers.add([answer.status, code].filter((part) => part !== undefined).join(" "));
  }
  return [...answers];
};

const isReady = async (gateway: Gateway): Promise<boolean> => (await readiness(gateway)).join() === "200";

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

    const workers = kind === "tmpfs" ? 2 : 1;

    it(`is not ready until there is room, and loses nothing (workers: ${workers})`, async () => {
      const gateway = await start(path.join(disk.directory, "spool"), kafka.brokers, workers);
      const token = await signIn(gateway);
      const station = uniqueName("full-disk");
      const acknowledged: number[] = [];
      let next = 0;
      const send = async (): Promise<number> => {
        const n = next++;
        const { status } = await fetch(`${gateway.url}/stations/${station}/produce/single`, {
          method: "POST",
          headers: { authorization: `Bearer ${token}`, connection: "close" },
          body: JSON.stringify({ n, pad: "x".repeat(20_000) }),
        });
        if (status === 200) acknowledged.push(n);
        return status;
      };
      await until(async () => (await send()) === 200);
      await kafka.kill();
      await until(async () => (await send()) === 200 && (await isReady(gateway)));

      await disk.fill(0);
      await until(async () => (await send()) === 503);
      await until(async () => (await readiness(gateway)).join() === "503 SPOOL_FULL");
      await sleep(1500);
      expect(await readiness(gateway)).toEqual(["503 SPOOL_FULL"]);
      expect(await send()).toBe(503);

      await disk.free();
      await until(() => isReady(gateway));
      expect(await send()).toBe(200);

      await kafka.start();
      await until(async () => !(await (await fetch(`${gateway.url}/readyz`)).text()).includes("spooling"));
      const stored = (await readTopic(kafka.brokers, station)).map(
        ({ value }) => (JSON.parse(value.toString()) as { readonly n: number }).n,
      );
      expect(acknowledged.filter((n) => !stored.includes(n))).toEqual([]);
      await gateway[Symbol.asyncDispose]();
    }, 300_000);
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

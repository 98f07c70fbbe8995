/** Retention of the embedded log with the real program: a bounded file, kill -9, connectors that wait, and full disks. */
import { stat } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import path from "node:path";
import { admin, createConnector } from "../support/connector-api.ts";
import { describeOnSmallDisks, mountSmallDisk, type SmallDisk } from "../support/disk/small-disk.ts";
import { signIn, startGateway, type Gateway } from "../support/gateway.ts";
import { RETRY, startHttpSink, type HttpSink } from "../support/http-sink.ts";

const MIB = 1024 * 1024;
const TIMEOUT = 240_000;
/** Bytes of each event. */
const EVENT = 50_000;

const settingsWith = (retention: object, dir = "./data") => ({
  broker: { type: "embedded", embedded: { dir, retention } },
  delivery: { allowTargets: ["127.0.0.0/8"] },
  stations: [
    { name: "orders", partitions: 1 },
    { name: "unread", partitions: 1 },
  ],
});

/** Calls of one account. */
const callsOf = (gateway: Gateway, token: string) => {
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const statusOf = (route: string): Promise<number> =>
    fetch(`${gateway.url}${route}`).then(({ status }) => status);

  return {
    until: async (route: string, status: number): Promise<void> => {
      while ((await statusOf(route)) !== status) await sleep(50);
    },
    /** The status, and the offset of the last event if all are stored. */
    produce: async (
      station = "orders",
      events = 1,
    ): Promise<{ readonly status: number; readonly offset: number }> => {
      const body = JSON.stringify(new Array(events).fill({ text: "x".repeat(EVENT) }));
      const answer = await fetch(`${gateway.url}/stations/${station}/produce/batch`, {
        ...{ method: "POST", body },
        headers: { ...headers, prefer: "return=representation" },
      });
      const { results } = (await answer.json()) as { results?: readonly { offset: number | string }[] };
      return { status: answer.status, offset: Number(results?.at(-1)?.offset ?? -1) };
    },
    ends: async (): Promise<{ readonly low: number; readonly high: number }> => {
      const answer = await fetch(`${gateway.url}/topics/orders/partitions/0/offsets`, { headers });
      const { beginning_offset: low, end_offset: high } = (await answer.json()) as {
        beginning_offset: number;
        end_offset: number;
      };
      return { low, high };
    },
    /** The number of events that a new group reads. */
    countAll: async (group: string): Promise<number> => {
      for (let count = 0; ;) {
        const answer = await fetch(`${gateway.url}/stations/orders/consume/batch`, {
          ...{ method: "POST", headers },
          body: JSON.stringify({
            ...{ consumer_name: "c", consumer_group: group },
            ...{ batch_size: 5000, batch_max_wait_time_ms: 500 },
          }),
        });
        const { length } = (await answer.json()) as readonly unknown[];
        if (length === 0) return count;
        count += length;
      }
    },
  };
};

type Calls = ReturnType<typeof callsOf>;

const untilLow = async (calls: Calls, low: number): Promise<void> => {
  while ((await calls.ends()).low < low) await sleep(50);
};

/** The value of a metric without labels. */
const metric = async (gateway: Gateway, name: string): Promise<number> => {
  const answer = await fetch(`${gateway.adminUrl}/metrics`);
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(await answer.text())?.[1]);
};

describe("a gateway with retention", () => {
  it(
    "bounds the log, and is killed while it frees: each event that is left can be read",
    async () => {
      const settings = settingsWith({ age: "none", bytes: "1mb" });
      await using first = await startGateway({ settings });
      let calls = callsOf(first, await signIn(first));
      const file = path.join(first.directory, "data", "log.lmdb");
      let last = -1;
      const produce = async (count: number): Promise<void> => {
        for (let stored = 0; stored < count; stored += 10) last = (await calls.produce("orders", 10)).offset;
      };
      const sizes: number[] = [];
      for (let wave = 0; wave < 4; wave += 1) {
        await produce(300);
        await untilLow(calls, last - 25);
        sizes.push((await stat(file)).size);
      }
      // Each wave stores 15 MB, and finds the freed pages of the wave before.
      expect(Math.max(...sizes)).toBeLessThan(30 * MIB);
      expect(await metric(first, "stationgate_retention_freed_records_total")).toBeGreaterThan(1150);

      await produce(600);
      const before = (await calls.ends()).low;
      await untilLow(calls, before + 1);
      await first.stop("SIGKILL");
      const second = await first.restart();
      calls = callsOf(second, await signIn(second));
      const { low, high } = await calls.ends();
      expect(high).toBe(last + 1);
      expect(low).toBeGreaterThan(before);
      await untilLow(calls, last - 25);
      const rest = await calls.ends();
      expect(rest.low).toBeLessThan(last);
      expect(await calls.countAll("all")).toBe(rest.high - rest.low);
      await second.stop();
    },
    TIMEOUT,
  );

  it(
    "keeps what a connector has not finished, also while it is paused, and frees it when the connector is deleted",
    async () => {
      const sink = await startHttpSink(() => RETRY);
      await using gateway = await startGateway({ settings: settingsWith({ age: "1s" }) });
      const calls = callsOf(gateway, await signIn(gateway));
      for (const name of ["waits", "other"]) await createConnector(gateway, name, { sink, topic: "orders" });
      for (let stored = 0; stored < 40; stored += 1) await calls.produce();
      await sink.received(1);
      while ((await metric(gateway, "stationgate_retention_held_partitions")) !== 1) await sleep(100);
      expect((await calls.ends()).low).toBe(0);

      await admin(gateway, "PUT", "/connectors/waits/pause");
      sink.answer(() => ({ status: 200, body: '{"retry":false}' }));
      const committed = async (): Promise<number> => {
        const view = (await admin(gateway, "GET", "/connectors/other/offsets")) as {
          offsets: readonly { offset: { kafka_offset: number } }[];
        };
        return view.offsets[0]?.offset.kafka_offset ?? 0;
      };
      while ((await committed()) < 40) await sleep(100);
      // A station without connectors shows that a round has come by.
      await calls.produce("unread");
      await calls.produce("unread");
      while ((await metric(gateway, "stationgate_retention_freed_records_total")) < 1) await sleep(100);
      expect((await calls.ends()).low).toBe(0);

      await admin(gateway, "DELETE", "/connectors/waits");
      await untilLow(calls, 39);
      while ((await metric(gateway, "stationgate_retention_held_partitions")) !== 0) await sleep(100);
      await sink.close();
    },
    TIMEOUT,
  );
});

describeOnSmallDisks("a gateway with retention on a small disk", (kind) => {
  let disk: SmallDisk;
  let sink: HttpSink;
  beforeEach(async () => {
    disk = mountSmallDisk(32, kind);
    sink = await startHttpSink(() => RETRY);
  });
  afterEach(async () => {
    await sink.close();
    disk.unmount();
  });

  it(
    "answers 503 while a connector holds all events, and stores again without a restart when it has finished them",
    async () => {
      const dir = path.join(disk.directory, "data");
      await using gateway = await startGateway({ settings: settingsWith({ bytes: "2mb" }, dir) });
      const calls = callsOf(gateway, await signIn(gateway));
      await createConnector(gateway, "waits", { sink, topic: "orders" });
      while ((await calls.produce()).status === 200);
      await calls.until("/readyz", 503);
      const { high } = await calls.ends();
      expect(high).toBeGreaterThan(200);
      // Another program takes the rest of the disk, so that even the connector's positions need the reserve.
      await disk.fill(0);

      sink.answer(() => ({ status: 200, body: '{"retry":false}' }));
      await untilLow(calls, high - 60);
      await calls.until("/readyz", 200);
      expect(await disk.freeBytes()).toBe(0);
      for (let stored = 0; stored < 100; stored += 1) expect((await calls.produce()).status).toBe(200);
      expect((await calls.ends()).high).toBe(high + 100);
    },
    TIMEOUT,
  );
});

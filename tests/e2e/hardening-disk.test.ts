/** The real program on a full disk: its answers, its records, and its recovery when there is space. */
import { setTimeout as sleep } from "node:timers/promises";
import path from "node:path";
import { describeOnSmallDisks, mountSmallDisk, type SmallDisk } from "../support/disk/small-disk.ts";
import { signIn, startGateway, type Gateway } from "../support/gateway.ts";
import { startLoad } from "../support/load.ts";

const MIB = 1024 * 1024;
const API_KEY = "api-key-of-the-tests-0123456789";

interface Answer {
  readonly status: number;
  readonly retryAfter: string | null;
  readonly body: string;
}

const answerOf = async (response: Response): Promise<Answer> => ({
  status: response.status,
  retryAfter: response.headers.get("retry-after"),
  body: await response.text(),
});

describeOnSmallDisks("a gateway with a full disk", (kind) => {
  let disk: SmallDisk;
  let gateway: Gateway;
  let token: string;

  beforeEach(async () => {
    disk = mountSmallDisk(48, kind);
    gateway = await startGateway({
      settings: {
        broker: { type: "embedded", embedded: { dir: path.join(disk.directory, "data") } },
        autoCreateStations: true,
      },
      env: {
        STATIONGATE_AUTH_API_KEYS: JSON.stringify([
          { id: "k", key: API_KEY, kind: "server", stations: ["*"] },
        ]),
      },
    });
    token = await signIn(gateway);
  });
  afterEach(async () => {
    await gateway[Symbol.asyncDispose]();
    disk.unmount();
  });

  const post = (route: string, type: string, body: string): Promise<Answer> =>
    fetch(`${gateway.url}${route}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": type },
      body,
    }).then(answerOf);

  const statusOf = (route: string): Promise<number> =>
    fetch(`${gateway.url}${route}`).then(({ status }) => status);

  const until = async (route: string, status: number): Promise<void> => {
    while ((await statusOf(route)) !== status) await sleep(50);
  };

  const readAll = async (group: string): Promise<readonly string[]> => {
    const ids: string[] = [];
    for (;;) {
      const { status, body } = await post(
        "/stations/orders/consume/batch",
        "application/json",
        JSON.stringify({
          consumer_name: "c",
          consumer_group: group,
          batch_size: 5000,
          batch_max_wait_time_ms: 500,
        }),
      );
      expect(status).toBe(200);
      const messages = JSON.parse(body) as readonly { readonly message: string }[];
      if (messages.length === 0) return ids;
      ids.push(...messages.map(({ message }) => (JSON.parse(message) as { id: string }).id));
    }
  };

  it("answers 503 with Retry-After in the form of each API, can be read, and recovers when there is space", async () => {
    expect((await post("/stations/orders/produce/single", "application/json", '{"id":"a"}')).status).toBe(
      200,
    );
    await disk.fill(0);
    await until("/readyz", 503);
    const full = { status: 503, retryAfter: expect.stringMatching(/^\d+$/) as string };

    expect(await post("/stations/orders/produce/single", "application/json", '{"id":"b"}')).toMatchObject(
      full,
    );
    expect(await post("/stations/orders/produce/batch", "application/json", '[{"id":"b"}]')).toMatchObject(
      full,
    );
    const v2 = "application/vnd.kafka.json.v2+json";
    expect(await post("/topics/orders", v2, '{"records":[{"value":{"id":"b"}}]}')).toMatchObject({
      body: expect.stringMatching(/"error_code":5\d\d\d\d/) as string,
    });
    const v3 = '{"value":{"type":"JSON","data":{"id":"b"}}}';
    expect(
      await post("/v3/clusters/stationgate/topics/orders/records", "application/json", v3),
    ).toMatchObject({ body: expect.stringMatching(/"error_code":50\d/) as string });
    expect(await statusOf("/healthz")).toBe(200);
    expect(await readAll("while-full")).toEqual(["a"]);

    await disk.free();
    await until("/readyz", 200);
    expect((await post("/stations/orders/produce/single", "application/json", '{"id":"c"}')).status).toBe(
      200,
    );
    expect((await readAll("after")).toSorted()).toEqual(["a", "c"]);
  }, 60_000);

  it("loses no acknowledged event under load with three full disks and a kill -9", async () => {
    await post("/stations/orders/produce/single", "application/json", '{"id":"first"}');
    const load = startLoad({ url: gateway.url, token, station: "orders", clients: 32, persistent: true });
    for (let acknowledged = 500; acknowledged <= 1500; acknowledged += 500) {
      await load.acknowledged(acknowledged);
      await disk.fill(0);
      await until("/readyz", 503);
      await disk.free();
      await until("/readyz", 200);
    }
    await load.acknowledged(2000);
    await disk.fill(MIB);
    await until("/readyz", 503);
    const { acknowledged, statuses } = await load.stop();
    expect([...statuses.keys()]).toEqual([503]);

    await gateway.stop("SIGKILL");
    gateway = await gateway.restart();
    expect(await statusOf("/readyz")).toBe(503);
    const found = new Set(await readAll("recount"));
    expect(acknowledged.filter((id) => !found.has(id))).toEqual([]);
  }, 120_000);
});

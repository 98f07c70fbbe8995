/** Reloads of a gateway with the embedded log: prepare, swap and discard. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setImmediate, setTimeout } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { type Gateway, startGateway } from "../../src/app.ts";
import { createLog } from "../../src/observability/logger/logger.ts";
import { settingsOf } from "../config/support.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const KEY = { "x-api-key": "partner-key-0123456789", "content-type": "application/json" };

let dir: string;
let gateway: Gateway;
let url: string;

const settingsWith = (more = "", keys = `[{ id: p, key: ${KEY["x-api-key"]}, stations: ["*"] }]`) =>
  settingsOf({
    yaml: `server: { host: 127.0.0.1, port: 0 }
admin: { port: 0 }
broker: { type: embedded, embedded: { dir: ${dir} } }
log: { level: silent }
auth: { apiKeys: ${keys} }
${more}
`,
  });

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "stationgate-generations-"));
  gateway = await startGateway(settingsWith("stations: [{ name: orders }]"), createLog({ level: "silent" }), {
    tls: {},
    reload: { reload: () => Promise.reject(new Error("no reload")), status: () => ({}) as never },
  });
  url = `http://127.0.0.1:${(await gateway.listen()).public.port}`;
});

afterAll(async () => {
  await gateway.stop(1000);
  rmSync(dir, { recursive: true });
});

const produce = async (station: string, body = "{}"): Promise<number> => {
  const answer = await fetch(`${url}/stations/${station}/produce/single`, {
    method: "POST",
    headers: KEY,
    body,
  });
  await answer.text();
  return answer.status;
};

const reload = async (settings: ReturnType<typeof settingsWith>): Promise<void> => {
  (await gateway.prepare(settings, {})).swap();
};

it("serves with the old settings until the swap, and with the new ones after it", async () => {
  const prepared = await gateway.prepare(
    settingsWith("stations: [{ name: orders }, { name: clicks }]", "[]"),
    {},
  );
  expect([await produce("orders"), await produce("clicks")]).toEqual([200, 404]);
  prepared.swap();
  expect([await produce("orders"), await produce("clicks")]).toEqual([401, 401]);
  await reload(settingsWith("stations: [{ name: orders }, { name: clicks }]"));
  expect([await produce("orders"), await produce("clicks")]).toEqual([200, 200]);
  await reload(settingsWith("stations: [{ name: orders }]"));
  expect([await produce("orders"), await produce("clicks")]).toEqual([200, 404]);
});

it("leaves nothing of settings that are discarded", async () => {
  (await gateway.prepare(settingsWith("autoCreateStations: true", "[]"), {})).discard();
  expect([await produce("orders"), await produce("fresh")]).toEqual([200, 404]);
});

it("rejects settings that can't be used, and changes nothing", async () => {
  const schema = join(dir, "broken.json");
  writeFileSync(schema, "{");
  const stations = `stations: [{ name: orders, schema: { type: json-schema, file: ${schema} } }]`;
  await expect(gateway.prepare(settingsWith(stations), {})).rejects.toMatchObject({
    code: "SETTINGS_INVALID",
  });
  expect(await produce("orders")).toBe(200);
});

it("keeps what was used of a rate, unless the rate has changed", async () => {
  const limited = (rate: number) =>
    `[{ id: p, key: ${KEY["x-api-key"]}, stations: ["*"], limits: { requestsPerSecond: ${rate}, burst: 1000s } }]`;
  const declared = "stations: [{ name: orders }]";
  await reload(settingsWith(declared, limited(0.002)));
  expect([await produce("orders"), await produce("orders"), await produce("orders")]).toEqual([
    200, 200, 429,
  ]);
  await reload(settingsWith(`${declared}\nautoCreateStations: true`, limited(0.002)));
  expect(await produce("orders")).toBe(429);
  await reload(settingsWith(declared, limited(0.003)));
  expect(await produce("orders")).toBe(200);
  await reload(settingsWith(declared));
});

it("keeps no former generation in memory", async () => {
  const former: WeakRef<object>[] = [];
  for (let i = 0; i < 10; i++) {
    const settings = settingsWith(
      `stations: [{ name: orders }]\ncors: { origins: ["https://a${i}.example"] }`,
    );
    former.push(new WeakRef(settings));
    await reload(settings);
    expect(await produce("orders")).toBe(200);
  }
  const left = (): number => former.filter((one) => one.deref() !== undefined).length;
  for (let i = 0; i < 50 && left() > 2; i++) {
    await setTimeout(20);
    await setImmediate();
    collectGarbage();
  }
  expect(left()).toBeLessThanOrEqual(2);
});

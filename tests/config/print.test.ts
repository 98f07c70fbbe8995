import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import { variables } from "../../src/config/environment.ts";
import { loadSettings } from "../../src/config/load.ts";
import { printEnvExample, printSettings } from "../../src/config/print.ts";
import { folder, load, settingsOf } from "./support.ts";

const HUSH = "hush-hush-".repeat(4);

describe("printSettings", () => {
  it("masks every secret", () => {
    const printed = printSettings(
      settingsOf({
        yaml: `admin: { token: ${HUSH} }
broker: { kafka: { sasl: { mechanism: plain, username: u, password: ${HUSH} } } }
auth:
  accessToken: { secret: ${HUSH} }
  refreshToken: { secrets: [{ kid: k, secret: ${HUSH}2 }] }
  accounts: [{ username: u, connectionToken: ${HUSH}, password: ${HUSH} }]
  apiKeys: [{ id: i, key: ${HUSH}, expires: 2027-01-01T00:00:00Z }]
reading: { peer: { secret: ${HUSH} } }
stations: [{ name: s }]
webhooks: [{ source: m, station: s, scheme: meta, secrets: [${HUSH}, ${HUSH}], verifyToken: ${HUSH} }]
connectors:
  - { name: c, config: { secret: ${HUSH}, callback.request.headers: "Authorization:${HUSH}", callback.request.url: "http://u:${HUSH}@h/p" } }`,
      }),
    );
    expect(printed).not.toContain("hush");
    expect(parse(printed)).toMatchObject({
      admin: { token: "***" },
      reading: { peer: { secret: "***" } },
      auth: { apiKeys: [{ id: "i", key: "***", expires: "2027-01-01T00:00:00.000Z" }] },
      webhooks: [{ secrets: ["***", "***"] }],
      connectors: [{ config: { "callback.request.url": "http://***@h/p" } }],
    });
  });

  it("prints a file that loads as the same settings", () => {
    const { result, cwd } = load({ yaml: "server: { bodyLimit: 1000 }\nstations: [{ name: s, key: /a }]" });
    const settings = result.status === "loaded" ? result.settings : undefined;
    const again = join(folder(), "again.yaml");
    writeFileSync(again, settings === undefined ? "" : printSettings(settings));
    expect(loadSettings({ configFile: again, env: {}, cwd })).toMatchObject({ settings });
  });
});

describe("printEnvExample", () => {
  it("equals .env.example (if not: `npm run -s print-env-example > .env.example`)", () => {
    expect(readFileSync(".env.example", "utf8")).toBe(printEnvExample());
  });

  it("has every variable, and the _FILE variables of secrets", () => {
    const printed = printEnvExample();
    for (const { name } of variables) expect(printed).toContain(`\n# ${name}=`);
    expect(printed).toContain("\n# STATIONGATE_AUTH_ACCESS_TOKEN_SECRET_FILE=\n");
  });

  it("has the defaults: setting all of them changes no setting", () => {
    const env = Object.fromEntries(
      [...printEnvExample().matchAll(/^# (STATIONGATE_\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]),
    ) as Record<string, string>;
    const cwd = folder();
    expect(settingsOf({ env: { ...env, STATIONGATE_AUTO_CREATE_STATIONS: "true" }, cwd })).toEqual(
      settingsOf({ cwd }),
    );
  });
});

describe("stationgate.example.yaml", () => {
  it("loads without warnings", () => {
    const result = loadSettings({ configFile: "stationgate.example.yaml", env: {}, cwd: process.cwd() });
    expect(result).toMatchObject({ status: "loaded", warnings: [] });
  });

  it("repeats defaults correctly", () => {
    const example = parse(readFileSync("stationgate.example.yaml", "utf8")) as Record<string, object>;
    const defaults = parse(printSettings(settingsOf({ yaml: "" }))) as Record<string, object>;
    expect(defaults["server"]).toMatchObject(example["server"] ?? {});
  });
});

/** compose.identity.yaml: its environment, added to that of compose.yaml, makes settings that the gateway accepts. */
import { readFileSync } from "node:fs";
import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { parse } from "yaml";
import { loadSettings } from "../../src/config/load.ts";
import { checkSettings } from "../../src/main/check.ts";

interface Compose {
  readonly services: Readonly<
    Record<
      string,
      { readonly environment?: Readonly<Record<string, string>>; readonly ports?: readonly string[] }
    >
  >;
}

const read = (file: string): Compose => parse(readFileSync(file, "utf8"), { merge: true }) as Compose;
const base = read("compose.yaml");
const added = read("compose.identity.yaml");
const gateways = Object.keys(base.services).filter((name) => name.startsWith("gateway-"));

/** Compose's `${NAME:?text}` by the values that the head of the file shows, or by a long text. */
const example = (name: string): string =>
  new RegExp(`^# {3}${name}=(\\S+)$`, "m").exec(readFileSync("compose.identity.yaml", "utf8"))?.[1] ??
  `${name}-0123456789-0123456789-0123456789`;
const filled = (text: string): string =>
  text.replace(/\$\{(\w+):[^}]*\}/g, (_variable, name: string) => example(name));

it("follows the Compose specification", () => {
  const ajv = new Ajv2020({ strict: false });
  formats.default(ajv);
  const validate = ajv.compile(JSON.parse(readFileSync("tests/deploy/compose-spec.json", "utf8")) as object);
  expect([validate(added), validate.errors]).toEqual([true, null]);
});

it("publishes one operators' port, on this machine only", () => {
  expect(gateways.map((name) => added.services[name]?.ports)).toEqual([["127.0.0.1:4445:4445"], undefined]);
});

it.each(gateways)("%s starts with valid settings", async (name) => {
  const environment = { ...base.services[name]?.environment, ...added.services[name]?.environment };
  const env = Object.fromEntries(Object.entries(environment).map(([key, value]) => [key, filled(value)]));
  const source = { configFile: "deploy/stationgate.yaml", env, cwd: process.cwd() };
  expect(await checkSettings(source)).toEqual({ faults: [], warnings: [] });
  expect(loadSettings(source)).toMatchObject({
    status: "loaded",
    settings: {
      admin: {
        publicUrl: "http://localhost:4445",
        oidc: { issuer: "https://id.example.com/realms/shop", roles: { operator: ["kafka-ops"] } },
        tokens: [{ name: "ci", role: "operator" }],
      },
      auth: { issuers: [{ name: "corp", audience: ["stationgate-events"] }] },
    },
  });
});

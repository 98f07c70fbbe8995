import { changesOf, textOf } from "../../src/config/changes.ts";
import { settingsSchema } from "../../src/config/schema/schema.ts";

const between = (before: object, after: object): readonly string[] =>
  changesOf(settingsSchema.parse(before), settingsSchema.parse(after)).map(textOf);

const key = (id: string, secret: string, more: object = {}) => ({ id, key: secret, ...more });
const keys = (...apiKeys: object[]) => ({ auth: { apiKeys } });
const secrets = (...given: string[]) => ({
  auth: { accessToken: { secrets: given.map((kid) => ({ kid, secret: `${kid}-secret` })) } },
});
const order = { name: "orders", schema: { type: "json-schema", file: "/a.json" } };

it.each<[string, object, object, readonly string[]]>([
  ["nothing", {}, {}, []],
  ["a written default", {}, { server: { port: 4444 } }, []],
  ["two keys of sections", {}, { server: { port: 1 }, log: { level: "warn" } }, ["server.port", "log.level"]],
  ["a key that is set first", {}, { limits: { recordSize: 9 } }, ["limits.recordSize"]],
  [
    "a rate in a group",
    {},
    { limits: { perAddress: { requestsPerSecond: 5 } } },
    ["limits.perAddress.requestsPerSecond"],
  ],
  ["a list of plain values", {}, { cors: { origins: ["https://a.example"] } }, ["cors.origins"]],
  ["a changed key of an element", keys(key("a", "1")), keys(key("a", "2")), ["auth.apiKeys[a].key"]],
  ["a new element", keys(), keys(key("a", "1")), ["auth.apiKeys[a]"]],
  ["a removed element", keys(key("a", "1"), key("b", "1")), keys(key("b", "1")), ["auth.apiKeys[a]"]],
  [
    "a second element with one id",
    keys(key("a", "1")),
    keys(key("a", "1"), key("a", "2")),
    ["auth.apiKeys[a]"],
  ],
  [
    "a group in an element",
    keys(key("a", "1")),
    keys(key("a", "1", { limits: { burst: "2s" } })),
    ["auth.apiKeys[a].limits.burst"],
  ],
  ["an account", {}, { auth: { accounts: [{ username: "u", password: "p" }] } }, ["auth.accounts[u]"]],
  ["a secret by its kid", secrets("a"), secrets("a", "b"), ["auth.accessToken.secrets[b]"]],
  ["the order of a list", secrets("a", "b"), secrets("b", "a"), ["auth.accessToken.secrets"]],
  [
    "a schema as a whole",
    { stations: [order] },
    { stations: [{ ...order, schema: { ...order.schema, file: "/b.json" } }] },
    ["stations[orders].schema"],
  ],
  [
    "another kind of webhook",
    { webhooks: [{ source: "s", station: "a", scheme: "none" }] },
    { webhooks: [{ source: "s", station: "a", scheme: "github", secrets: ["x"] }] },
    ["webhooks[s].scheme", "webhooks[s].secrets"],
  ],
  [
    "a connector's configuration as a whole",
    { connectors: [{ name: "crm", config: { topics: "a" } }] },
    { connectors: [{ name: "crm", config: { topics: "b" } }] },
    ["connectors[crm].config"],
  ],
  ["a name with special characters", keys(), keys(key('a]"b', "1")), ['auth.apiKeys["a]\\"b"]']],
])("finds %s", (_, before, after, expected) => {
  expect(between(before, after)).toEqual(expected);
});

it("shows no value", () => {
  const text = between(keys(key("a", "old-secret")), keys(key("a", "new-secret"))).join();

  expect(text).not.toContain("secret");
});

it("compares 10,000 API keys in reasonable time", () => {
  const many = (secret: string) =>
    settingsSchema.parse(keys(...Array.from({ length: 10_000 }, (_, n) => key(`key-${n}`, secret))));
  const [before, after] = [many("1"), many("2")];
  // CPU time, so that a busy machine changes nothing.
  const began = process.cpuUsage();

  expect(changesOf(before, after)).toHaveLength(10_000);
  expect(process.cpuUsage(began).user).toBeLessThan(20_000_000);
});

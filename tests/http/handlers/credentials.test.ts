/** One rule for all routes: an API key works in its three forms, and a key without the right is 403 in each of them. */
import { BROWSER_KEY, PARTNER_KEY } from "../support.ts";
import { json, serve, type ServedGateway } from "./rest-proxy/support.ts";

let gateway: ServedGateway;

beforeAll(async () => {
  gateway = await serve();
});

afterAll(() => gateway.server.drain({ graceMs: 0 }));

const SINK_KEY = "sink-key-0123456789";

const formsOf = (id: string, key: string): readonly Record<string, string>[] => [
  { "x-api-key": key },
  { authorization: `ApiKey ${key}` },
  { authorization: `Basic ${Buffer.from(`${id}:${key}`).toString("base64")}` },
];

const JSON_TYPE = "application/json";
const V2_TYPE = "application/vnd.kafka.json.v2+json";

/** `TOPIC` stands for the topic; `allowed` may use `plain`, and neither of the two keys may use what `denied` may not. */
const PRODUCING: readonly (readonly [path: string, body: string, type: string])[] = [
  ["/stations/TOPIC/produce/single", "{}", JSON_TYPE],
  ["/stations/TOPIC/produce/batch", "[{}]", JSON_TYPE],
  ["/stations/TOPIC/produce/stream", "{}\n", "application/x-ndjson"],
  ["/stations/TOPIC/produce/beacon", '{"events":[{"id":"1","event":{}}]}', "text/plain"],
  ["/v3/clusters/c/topics/TOPIC/records", JSON.stringify(json(1)), JSON_TYPE],
  [
    "/v3/clusters/c/topics/TOPIC/records:batch",
    JSON.stringify({ entries: [{ id: "a", ...json(1) }] }),
    JSON_TYPE,
  ],
  ["/topics/TOPIC", '{"records":[{"value":1}]}', V2_TYPE],
  ["/topics/TOPIC/partitions/0", '{"records":[{"value":1}]}', V2_TYPE],
];

const CONSUME = [
  "/stations/TOPIC/consume/batch",
  '{"consumer_name":"c","batch_max_wait_time_ms":0}',
  JSON_TYPE,
] as const;

const READING = ["/v3/clusters", "/v3/clusters/c", "/v3/clusters/c/topics", "/topics"] as const;

const post = async (
  [path, body, type]: readonly [string, string, string],
  topic: string,
  credential: Record<string, string>,
): Promise<number> => {
  const answer = await fetch(gateway.url + path.replace("TOPIC", topic), {
    method: "POST",
    headers: { "content-type": type, ...credential },
    body,
  });
  await answer.arrayBuffer();
  return answer.status;
};

const get = async (path: string, credential: Record<string, string>): Promise<number> =>
  (await fetch(gateway.url + path, { headers: credential })).status;

describe("an API key in X-Api-Key, as ApiKey and as Basic", () => {
  it.each(PRODUCING)("produces on %s, and gets 403 for other stations", async (...route) => {
    for (const form of formsOf("partner", PARTNER_KEY)) {
      expect([form, await post(route, "plain", form)]).toEqual([
        form,
        200 + 7 * Number(route[0].endsWith(":batch")),
      ]);
      expect([form, await post(route, "hidden", form)]).toEqual([form, 403]);
    }
  });

  it("consumes from its stations, gets 403 for others, and a browser key gets 403 everywhere", async () => {
    const { id, key, origins } = BROWSER_KEY;
    for (const form of formsOf("sink", SINK_KEY)) expect(await post(CONSUME, "plain", form)).toBe(200);
    for (const form of formsOf("sink", SINK_KEY)) expect(await post(CONSUME, "hidden", form)).toBe(403);
    for (const form of formsOf("partner", PARTNER_KEY)) expect(await post(CONSUME, "plain", form)).toBe(403);
    for (const form of formsOf(id, key))
      expect(await post(CONSUME, "plain", { ...form, origin: origins[0] })).toBe(403);
  });

  it.each(READING)("reads %s", async (path) => {
    for (const form of formsOf("partner", PARTNER_KEY)) expect(await get(path, form)).toBe(200);
  });

  it("gets 401 everywhere if it is wrong, expired or belongs to another id", async () => {
    const wrong = [...formsOf("partner", "wrong"), ...formsOf("late", "late-key-0123456789")];
    const other = formsOf("sink", PARTNER_KEY).slice(2);
    for (const form of [...wrong, ...other]) {
      for (const route of [...PRODUCING, CONSUME]) expect(await post(route, "plain", form)).toBe(401);
      for (const path of [...READING, "/nowhere"]) expect(await get(path, form)).toBe(401);
    }
  });

  it("gets 404 for an unknown path", async () => {
    for (const form of formsOf("partner", PARTNER_KEY)) expect(await get("/nowhere", form)).toBe(404);
  });

  it("is limited to its origins in every form", async () => {
    for (const form of formsOf(BROWSER_KEY.id, BROWSER_KEY.key)) {
      for (const route of PRODUCING) {
        expect(await post(route, "plain", form)).toBe(403);
        expect(await post(route, "plain", { ...form, origin: "https://evil.example" })).toBe(403);
      }
    }
  });

  it.each(["X-Api-Key", "Authorization"])("can be sent by a page in %s", async (header) => {
    for (const [path] of [...PRODUCING, CONSUME]) {
      const answer = await fetch(gateway.url + path.replace("TOPIC", "plain"), {
        method: "OPTIONS",
        headers: {
          origin: "https://shop.example",
          "access-control-request-method": "POST",
          "access-control-request-headers": header,
        },
      });
      expect([answer.status, answer.headers.get("access-control-allow-headers")]).toEqual([204, header]);
    }
  });
});

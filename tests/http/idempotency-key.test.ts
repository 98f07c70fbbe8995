import { GatewayError } from "../../src/errors.ts";
import type { EventOutcome, Produce, ProduceRequest } from "../../src/ingest/produce.ts";
import { BATCH, json, serve, type ServedGateway } from "./handlers/rest-proxy/support.ts";
import { PARTNER_KEY } from "./support.ts";

let gateway: ServedGateway;
let requests: ProduceRequest[];
/** The outcome of the event at this place. */
let outcomeAt: (place: number) => EventOutcome;

beforeEach(async () => {
  requests = [];
  outcomeAt = (place) => ({ status: "stored", partition: 3, offset: BigInt(place), timestamp: 0 });
  const produce: Produce = (request) => {
    requests.push(request);
    return Promise.resolve(request.events.map((_, place) => outcomeAt(place)));
  };
  gateway = await serve({ produce });
});

afterEach(() => gateway.server.drain({ graceMs: 0 }));

const SINGLE = "/stations/plain/produce/single";
const LIST = "/stations/plain/produce/batch";
const BEACON = "/stations/plain/produce/beacon";
const ENTRIES = { entries: [{ id: "a", ...json(1) }] };

const beacon = (event: object, credential: object = { apiKey: PARTNER_KEY }) => ({
  ...credential,
  events: [{ id: "1", event }],
});

const keyed = (key: string) => ({ "idempotency-key": key });

const lastId = () => requests.at(-1)?.callId;

const failed = (code: "IDEMPOTENCY_KEY_REUSED" | "ID_UNRESOLVED"): EventOutcome => ({
  status: "failed",
  error: new GatewayError(code),
});

describe("Idempotency-Key", () => {
  it.each([
    ["single", SINGLE, { n: 1 }, "/stations/:name/produce/single"],
    ["batch", LIST, [{ n: 1 }], "/stations/:name/produce/batch"],
    ["beacon", BEACON, beacon({ n: 1 }), "/stations/:name/produce/beacon"],
    ["v3 batch", BATCH, ENTRIES, "/v3/clusters/:cluster/topics/:topic/records\\:batch"],
  ])("is the id of a call of %s, and a record header", async (_, path, body, route) => {
    await gateway.post(path, body, keyed("k"));
    expect(lastId()).toMatchObject({
      scope: ["call", "api-key partner", route, "plain", "k"],
      windowMs: 60_000,
      strict: true,
    });
    expect(requests[0]?.events[0]).toHaveProperty(
      "headers",
      expect.arrayContaining([{ name: "x-idempotency-key", value: Buffer.from("k") }]),
    );
  });

  it("is absent from a call without the header", async () => {
    for (const [path, body] of [
      [SINGLE, {}],
      [BEACON, beacon({})],
      [BATCH, ENTRIES],
    ] as const)
      await gateway.post(path, body);
    expect(requests.map(({ callId }) => callId)).toEqual([undefined, undefined, undefined]);
    const { headers } = requests[2]?.events[0] as { readonly headers: readonly unknown[] };
    expect(headers).toEqual([]);
  });

  it("has one payload for equal bodies, and another for another body or content type", async () => {
    const payloads: (string | undefined)[] = [];
    for (const [body, headers] of [
      [{ n: 1 }, {}],
      [{ n: 1 }, { prefer: "return=representation" }],
      [{ n: 2 }, {}],
      [{ n: 1 }, { "content-type": "text/plain" }],
    ] as const) {
      await gateway.post(SINGLE, body, { ...keyed("k"), ...headers });
      payloads.push(lastId()?.payload?.toString("hex"));
    }
    const [first, again, ...others] = payloads;
    expect(first).toMatch(/^[0-9a-f]{64}$/);
    expect(again).toBe(first);
    expect(new Set([first, ...others]).size).toBe(3);
  });

  it("has the events of a beacon as its payload, not the credential", async () => {
    const payloadOf = async (body: object) => {
      await gateway.post(BEACON, body, keyed("k"));
      return lastId()?.payload?.toString("hex");
    };
    const first = await payloadOf(beacon({ n: 1 }));
    const ofToken = await payloadOf(beacon({ n: 1 }, { token: await gateway.token() }));
    expect(ofToken).toBe(first);
    expect(await payloadOf(beacon({ n: 2 }))).not.toBe(first);
  });

  it.each([
    ["single", SINGLE, { n: 1 }],
    ["batch", LIST, [{ n: 1 }, { n: 2 }]],
    ["beacon", BEACON, beacon({ n: 1 })],
  ])("answers 422 for another payload on %s", async (_, path, body) => {
    outcomeAt = () => failed("IDEMPOTENCY_KEY_REUSED");
    const answer = await gateway.post(path, body, keyed("k"));
    const error = "An earlier request with another payload has this Idempotency-Key; send a new key";
    expect([answer.status, answer.body]).toEqual([422, { error, success: false }]);
  });

  it("answers 422 for another payload of a v3 batch", async () => {
    outcomeAt = () => failed("IDEMPOTENCY_KEY_REUSED");
    const answer = await gateway.post(BATCH, ENTRIES, keyed("k"));
    expect([answer.status, answer.body]).toMatchObject([422, { error_code: 422, retriable: false }]);
  });

  it("is refused if it is empty or longer than 255 characters", async () => {
    for (const path of [SINGLE, BEACON, BATCH])
      for (const key of ["", "x".repeat(256)]) {
        const answer = await gateway.post(path, {}, keyed(key));
        const text = `Idempotency-Key must have 1 to 255 characters (got ${key.length})`;
        expect([answer.status, answer.text]).toEqual([400, expect.stringContaining(text)]);
      }
    expect(requests).toEqual([]);
  });
});

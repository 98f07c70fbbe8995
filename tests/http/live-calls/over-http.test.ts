/** The last messages of long calls whose credential or right is gone after a reload. */
import { setImmediate } from "node:timers/promises";
import type { Principal } from "../../../src/auth/principal.ts";
import { serve, type ServedGateway } from "../handlers/rest-proxy/support.ts";

const KEY = { "x-api-key": "sink-key-0123456789", "content-type": "application/json" };

/** What a reload makes of the principals. */
type After = "same" | "no credential" | "no right";

let gateway: ServedGateway;
let after: After;

beforeEach(async () => {
  after = "same";
  const renew = (principal: Principal): Principal | undefined => {
    if (after === "same") return principal;
    const no = (): boolean => false;
    return after === "no right" ? { ...principal, mayProduce: no, mayConsume: no } : undefined;
  };
  gateway = await serve({ renew });
});

afterEach(async () => {
  await gateway.server.drain({ graceMs: 0 });
  await gateway.home.close();
});

const reload = async (next: After): Promise<void> => {
  after = next;
  await gateway.live.recheck();
};

const FORBIDDEN = /^user sink is not allowed to access station plain$/;

/** A stream of events that stays open; `last` resolves with its last line. */
const openStream = async (path: string, text: string) => {
  let input: ReadableStreamDefaultController<Uint8Array> | undefined;
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      input = controller;
      controller.enqueue(Buffer.from(text));
    },
  });
  const answer = await fetch(gateway.url + path, { method: "POST", headers: KEY, body, duplex: "half" });
  const reader = answer.body?.getReader();
  let seen = Buffer.from((await reader?.read())?.value ?? []).toString();
  const last = async (): Promise<unknown> => {
    for (;;) {
      const chunk = await reader?.read().catch(() => undefined);
      if (chunk?.value === undefined) break;
      seen += Buffer.from(chunk.value).toString();
    }
    return JSON.parse(seen.trimEnd().split("\n").at(-1) ?? "");
  };
  return { send: (more: string) => input?.enqueue(Buffer.from(more)), last };
};

const LINE = '{"a":1}\n';
const V3_RECORD = '{"value":{"type":"JSON","data":1}}';

describe("after a reload", () => {
  it.each<[After, unknown]>([
    ["no credential", { line: 2, status: "refused", error: "Unauthorized" }],
    ["no right", { line: 2, status: "refused", error: expect.stringMatching(FORBIDDEN) as string }],
  ])("an NDJSON stream with %s ends with the number of the next line", async (next, expected) => {
    const stream = await openStream("/stations/plain/produce/stream", LINE);
    await reload(next);
    expect(await stream.last()).toEqual(expected);
  });

  it.each<[After, number]>([
    ["no credential", 40101],
    ["no right", 40301],
  ])("a v3 stream with %s ends with a report with %i", async (next, code) => {
    const stream = await openStream("/v3/clusters/any/topics/plain/records", V3_RECORD);
    await reload(next);
    expect(await stream.last()).toMatchObject({ error_code: code });
  });

  it("an event stream ends with the reason", async () => {
    const listen = async (): Promise<Response> =>
      fetch(`${gateway.url}/stations/plain/consume/stream`, { headers: KEY });
    const streams = [await listen()];
    await reload("no right");
    after = "same";
    streams.push(await listen());
    await reload("no credential");
    const texts = await Promise.all(streams.map((stream) => stream.text()));
    expect(texts[0]).toMatch(/event: end\ndata: \{"reason":"user sink is not allowed[^"]*plain"\}\n\n$/);
    expect(texts[1]).toMatch(/event: end\ndata: \{"reason":"Unauthorized"\}\n\n$/);
  });

  it.each<[After, number, string]>([
    ["no credential", 401, '{"message":"Unauthorized"}'],
    ["no right", 403, '{"error":"user sink is not allowed to access station plain","success":false}'],
  ])("a waiting consume/batch with %s gets %i", async (next, status, text) => {
    const pulled = new Promise<void>((resolve) => {
      gateway.pulls.once("pull", () => {
        resolve();
      });
    });
    const waiting = gateway.post(
      "/stations/plain/consume/batch",
      { consumer_name: "c", batch_max_wait_time_ms: 60_000 },
      KEY,
    );
    await pulled;
    await setImmediate();
    await reload(next);
    expect(await waiting).toMatchObject({ status, text });
  });

  it("a call whose credential is unchanged goes on", async () => {
    const stream = await openStream("/stations/plain/produce/stream", LINE);
    await reload("same");
    stream.send(LINE);
    await reload("no credential");
    expect(await stream.last()).toMatchObject({ line: expect.any(Number) as number, error: "Unauthorized" });
  });
});

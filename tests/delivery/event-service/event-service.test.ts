import type { CallbackClient } from "../../../src/delivery/event-service/callback-client.ts";
import type { CallbackAuth } from "../../../src/delivery/event-service/callbacks.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import type { SinkAnswer, SinkScript } from "../../support/http-sink.ts";
import { changed, createRig, TOPIC, type Rig, type Subject } from "./rig.ts";
import { isSigned, VECTORS } from "./vectors.ts";

const OK: SinkAnswer = { status: 200 };
const FAIL: SinkAnswer = { status: 500 };

let rig: Rig;

afterEach(async () => {
  await rig.close();
});

const businessServer = (auth: CallbackAuth = { type: "none" }, keepBasePath = false) => ({
  baseUrl: `${rig.sink.url}/callback/`,
  keepBasePath,
  checkCertificate: true,
  auth,
});

/** A client with its own path for each of the given SEPs and types. */
const clientOf = (name: string, ...kinds: string[]): CallbackClient => ({
  name,
  domains: [`${name}.example`],
  signingKeys: [],
  callbackUrls: Object.fromEntries(kinds.map((kind) => [kind, `${rig.sink.url}/${name}/${kind}`])),
});

const transactionOf = (body: string): Subject => (JSON.parse(body) as { transaction: Subject }).transaction;

const header = (index: number, name: string): unknown => rig.sink.requests[index]?.headers[name];

const positionOf = async (group: string): Promise<bigint | undefined> =>
  (await rig.broker.committed(group, TOPIC))[0]?.offset;

it("sends an event's trace with each of its callbacks", async () => {
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  rig = await createRig();
  rig.start({ businessServer: businessServer(), clients: [clientOf("lobstr", "sep24")] });
  await rig.write([changed("e1", { id: "t1" })], { traceparent, tracestate: "vendor=1" });
  await rig.sink.received(2);
  const traces = rig.sink.requests.map(({ headers }) => [headers["traceparent"], headers["tracestate"]]);

  expect(traces).toStrictEqual([
    [traceparent, "vendor=1"],
    [traceparent, "vendor=1"],
  ]);
});

it("sends the callbacks of an event with an invalid tracestate, and of the next event", async () => {
  const traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  rig = await createRig();
  rig.start({ businessServer: businessServer(), clients: [clientOf("lobstr", "sep24")] });
  await rig.write([changed("e1", { id: "t1" })], { traceparent, tracestate: "a=b\n" });
  await rig.write([changed("e2", { id: "t1" })]);
  while (rig.attempts.length < 4) await new Promise((resolve) => setImmediate(resolve));

  expect(rig.attempts.map(({ outcome }) => outcome)).toStrictEqual(Array(4).fill("delivered"));
});

describe("callbacks to the business server", () => {
  it("are envelopes with the time of the attempt, at /event instead of the base URL's path", async () => {
    const clock = createFakeClock(1_700_000_000_123);
    rig = await createRig(clock);
    rig.start({ businessServer: businessServer() });
    await rig.write([
      '{"type":"quote_created","id":"q1","sep":"38","quote":{"id":"1", "price":1.50}}',
      changed("e2", { id: "t1", status: "completed" }),
      '{"type":"customer_updated","id":"e3","customer":{"id":"c"}}',
    ]);
    await rig.sink.received(3);
    const { method, url, headers } = rig.sink.requests[0] ?? {};
    const at = '"timestamp":"2023-11-14T22:13:20.123Z"';

    expect({ method, url, type: headers?.["content-type"] }).toStrictEqual({
      method: "POST",
      url: "/event",
      type: "application/json; charset=utf-8",
    });
    expect([...rig.sink.bodies].sort()).toStrictEqual([
      `{"id":"e2",${at},"type":"transaction_status_changed","payload":{"transaction":{"id":"t1","status":"completed","sep":"24"}}}`,
      `{"id":"e3",${at},"type":"customer_updated","payload":{"customer":{"id":"c"}}}`,
      `{"id":"q1",${at},"type":"quote_created","payload":{"quote":{"id":"1","price":1.50}}}`,
    ]);
  });

  it("go below the base URL's path with keepBasePath", async () => {
    rig = await createRig();
    rig.start({ businessServer: businessServer({ type: "none" }, true) });
    await rig.write([changed("e1", { id: "t1" })]);
    await rig.sink.received(1);

    expect(rig.sink.requests[0]?.url).toBe("/callback/event");
  });

  it("have the API key in the configured header", async () => {
    rig = await createRig();
    rig.start({ businessServer: businessServer({ type: "api_key", header: "X-Anchor-Key", secret: "k3y" }) });
    await rig.write([changed("e1", { id: "t1" })]);
    await rig.sink.received(1);

    expect(header(0, "x-anchor-key")).toBe("k3y");
    expect(header(0, "x-api-key")).toBeUndefined();
  });

  it("have a new token at each attempt", async () => {
    const { secret, iat, exp, token } = VECTORS.jwt;
    const clock = createFakeClock(iat * 1000);
    rig = await createRig(clock);
    rig.sink.answer((_, index) => (index === 0 ? FAIL : OK));
    const ttl = (exp - iat) * 1000;
    rig.start({ businessServer: businessServer({ type: "jwt", header: "Authorization", secret, ttl }) });
    await rig.write([changed("e1", { id: "t1" })]);
    await rig.sink.received(1);
    await clock.pending(1000);
    clock.advance(1000);
    await rig.sink.received(2);
    const second = String(header(1, "authorization")).split(".")[1] ?? "";

    expect(header(0, "authorization")).toBe(`Bearer ${token}`);
    expect(JSON.parse(Buffer.from(second, "base64url").toString())).toStrictEqual({
      iat: iat + 1,
      exp: exp + 1,
    });
  });

  it("are retried after 1, 2, 4 … 256, 300, 300 s for ever, and after 1 s again for the next event", async () => {
    const clock = createFakeClock();
    rig = await createRig(clock);
    rig.sink.answer(({ body }) => (body.includes('"e1"') ? FAIL : OK));
    rig.start({ businessServer: businessServer() });
    await rig.write([changed("e1", { id: "t1" }), changed("e2", { id: "t1" })]);
    for (const [index, seconds] of [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300].entries()) {
      await rig.sink.received(index + 1);
      await clock.pending(seconds * 1000);
      clock.advance(seconds * 1000);
    }
    await rig.sink.received(13);
    await clock.pending(300_000);

    expect(rig.sink.bodies.some((body) => body.includes('"e2"'))).toBe(false);

    rig.sink.answer(({ body }, index) => (body.includes('"e2"') && index < 15 ? FAIL : OK));
    clock.advance(300_000);
    await rig.sink.until((requests) => requests.at(-1)?.body.includes('"e2"') === true);
    await clock.pending(1000);
    clock.advance(1000);
    await rig.sink.received(16);

    expect(rig.attempts.slice(13).map(({ outcome }) => outcome)).toStrictEqual(["delivered", "retry"]);
  });

  it("follow a 307 or 308 within the host with the same body and token", async () => {
    rig = await createRig();
    const answers: SinkAnswer[] = [
      { status: 307, headers: { location: "/moved?to=1" } },
      { status: 308, headers: { location: `${rig.sink.url}/here` } },
    ];
    rig.sink.answer((_, index) => answers[index] ?? OK);
    const auth = { type: "jwt", header: "Authorization", secret: VECTORS.jwt.secret, ttl: 5000 } as const;
    rig.start({ businessServer: businessServer(auth) });
    await rig.write([changed("e1", { id: "t1" })]);
    while (rig.attempts.length === 0) await new Promise((resolve) => setImmediate(resolve));
    const [first, ...others] = rig.sink.requests.map(({ method, headers, body }) => ({
      method,
      body,
      token: headers["authorization"],
      type: headers["content-type"],
    }));

    expect(rig.sink.requests.map(({ url }) => url)).toStrictEqual(["/event", "/moved?to=1", "/here"]);
    expect(others).toStrictEqual([first, first]);
    expect(rig.attempts).toMatchObject([{ attempt: 1, outcome: "delivered", status: 200 }]);
  });

  it("fail with a reason at a 307 to another host", async () => {
    rig = await createRig();
    rig.sink.answer(() => ({ status: 307, headers: { location: "http://other.example/" } }));
    rig.start({ businessServer: businessServer() });
    await rig.write([changed("e1", { id: "t1" })]);
    while (rig.attempts.length === 0) await new Promise((resolve) => setImmediate(resolve));

    expect(rig.attempts).toMatchObject([
      {
        outcome: "retry",
        status: 307,
        error: `HTTP status 307 to another host, other.example: only redirects to 127.0.0.1:${rig.sink.port} are followed`,
      },
    ]);
  });

  it("keep the base URL's query below its path", async () => {
    rig = await createRig();
    rig.start({
      businessServer: { ...businessServer({ type: "none" }, true), baseUrl: `${rig.sink.url}/callback?k=v` },
    });
    await rig.write([changed("e1", { id: "t1" })]);
    await rig.sink.received(1);

    expect(rig.sink.requests[0]?.url).toBe("/callback/event?k=v");
  });

  it("count another redirect as success and don't follow it; 400 and a broken connection are failures", async () => {
    const clock = createFakeClock();
    const answers: SinkAnswer[] = [
      "drop",
      { status: 400 },
      { status: 301, headers: { location: "/elsewhere" } },
    ];
    rig = await createRig(clock);
    rig.sink.answer((_, index) => answers[index] ?? OK);
    rig.start({ businessServer: businessServer() });
    await rig.write([changed("e1", { id: "t1" }), changed("e2", { id: "t1" })]);
    for (const seconds of [1, 2]) {
      await clock.pending(seconds * 1000);
      clock.advance(seconds * 1000);
    }
    await rig.sink.received(4);

    expect(rig.sink.requests.map(({ url }) => url)).toStrictEqual(Array.from({ length: 4 }, () => "/event"));
    expect(rig.sink.bodies.map((body) => (JSON.parse(body) as { id: string }).id)).toStrictEqual([
      "e1",
      "e1",
      "e1",
      "e2",
    ]);
  });

  it("are sent once more within the same attempt if a kept connection breaks", async () => {
    const answers: SinkAnswer[] = [OK, "drop"];
    rig = await createRig();
    rig.sink.answer((_, index) => answers[index] ?? OK);
    rig.start({ businessServer: businessServer() });
    await rig.write([changed("e1", { id: "t1" }), changed("e2", { id: "t1" })]);
    while (rig.attempts.length < 2) await new Promise((resolve) => setImmediate(resolve));

    expect(rig.attempts.map(({ outcome }) => outcome)).toStrictEqual(["delivered", "delivered"]);
    expect(rig.sink.requests).toHaveLength(3);
  });

  it("hold back later events of the same transaction only", async () => {
    const clock = createFakeClock();
    rig = await createRig(clock);
    const refuse: SinkScript = ({ body }) => (body.includes('"t1"') ? FAIL : OK);
    rig.sink.answer(refuse);
    rig.start({ businessServer: businessServer() });
    await rig.write([changed("e1", { id: "t1" }), changed("e2", { id: "t2" }), changed("e3", { id: "t1" })]);
    await rig.sink.received(2);
    await clock.pending(1000);

    expect(await positionOf("group-callback-api")).toBeUndefined();

    rig.sink.answer(() => OK);
    clock.advance(1000);
    await rig.sink.received(4);
    const ids = rig.sink.bodies.map((body) => (JSON.parse(body) as { id: string }).id);

    expect(ids.filter((id) => id !== "e2")).toStrictEqual(["e1", "e1", "e3"]);
    expect(ids.slice(0, 2)).toContain("e2");
  });

  it("put a record that is not an event into the dead letter topic, and continue", async () => {
    rig = await createRig();
    rig.start({ businessServer: businessServer() });
    await rig.write([null, "", "{", '{"id":"e","type":"surprise"}', changed("e5", { id: "t1" })]);
    await rig.sink.received(1);
    const letters = await rig.deadLetters(4);
    const reasonOf = ({ headers }: (typeof letters)[number]): string | undefined =>
      headers.find(({ name }) => name === "stationgate-error")?.value?.toString();

    expect(letters.map(reasonOf)).toStrictEqual([
      "empty value",
      "empty value",
      "value is not a JSON object",
      "unknown event type surprise",
    ]);
  });
});

describe("callbacks to clients", () => {
  it("have only the subject, go to the URL of the SEP, and are signed for the URL's host", async () => {
    const clock = createFakeClock(VECTORS.stellarSignature.t * 1000);
    rig = await createRig(clock);
    rig.start({ clients: [clientOf("lobstr", "sep24", "sep12", "transaction_error")] });
    await rig.write([
      changed("e1", { id: "t1", amount: 1.5 }),
      '{"type":"customer_updated","id":"e2","customer":{"id":"c1"}}',
      '{"type":"transaction_error","id":"e3","sep":"6","transaction":{"id":"t3"}}',
      '{"type":"quote_created","id":"e4","quote":{"id":"q1"}}',
      changed("e5", { id: "t5" }, "31"),
      changed("e6", { id: "t6" }),
    ]);
    await rig.sink.received(4);
    const received = rig.sink.requests.map(({ url, body }) => `${url} ${body}`);

    expect(received.sort()).toStrictEqual([
      '/lobstr/sep12 {"id":"c1"}',
      '/lobstr/sep24 {"transaction":{"id":"t1","amount":1.5,"sep":"24"}}',
      '/lobstr/sep24 {"transaction":{"id":"t6","sep":"24"}}',
      '/lobstr/transaction_error {"transaction":{"id":"t3"}}',
    ]);
    for (const { headers, body } of rig.sink.requests) {
      expect(isSigned(headers["signature"], `127.0.0.1:${rig.sink.port}`, body)).toBe(true);
      expect(headers["signature"]).toMatch(/^t=1700000000, s=/);
    }
  });

  it("go to the client of the transaction, or to all clients if it names none", async () => {
    rig = await createRig();
    rig.start({ clients: ["lobstr", "vibrant"].map((name) => clientOf(name, "sep24")) });
    await rig.write([
      changed("e1", { id: "t1", client_name: "lobstr" }),
      changed("e2", { id: "t2", client_domain: "vibrant.example" }),
      changed("e3", { id: "t3", client_name: "stranger" }),
      changed("e4", { id: "t4" }),
    ]);
    await rig.sink.received(4);
    const received = rig.sink.requests.map(({ url, body }) => `${url} ${String(transactionOf(body)["id"])}`);

    expect(received.sort()).toStrictEqual([
      "/lobstr/sep24 t1",
      "/lobstr/sep24 t4",
      "/vibrant/sep24 t2",
      "/vibrant/sep24 t4",
    ]);
  });

  it("are sent at 0, 1 and 3 s, each with a new signature, then become a dead letter", async () => {
    const clock = createFakeClock();
    rig = await createRig(clock);
    const start = clock.now();
    const times: number[] = [];
    rig.sink.answer(({ body }) => {
      times.push(clock.now() - start);
      return transactionOf(body)["status"] === "bad" ? FAIL : OK;
    });
    rig.start({ clients: [clientOf("lobstr", "sep24")] });
    await rig.write([
      changed("e1", { id: "t1", status: "bad" }),
      changed("e2", { id: "t1", status: "good" }),
    ]);
    for (const ms of [1000, 2000]) {
      await clock.pending(ms);
      clock.advance(ms);
    }
    await rig.sink.received(4);
    const [letter] = await rig.deadLetters(1);

    expect(times).toStrictEqual([0, 1000, 3000, 3000]);
    expect(new Set([0, 1, 2].map((index) => header(index, "signature"))).size).toBe(3);
    expect(letter?.value?.toString()).toBe(changed("e1", { id: "t1", status: "bad" }));
    expect(
      Object.fromEntries(letter?.headers.map(({ name, value }) => [name, String(value)]) ?? []),
    ).toMatchObject({
      "stationgate-connector": "event-service/client/lobstr",
      "stationgate-topic": TOPIC,
      "stationgate-offset": "0",
      "stationgate-attempts": "3",
      "stationgate-status": "500",
    });
  });

  it("of a client that hangs don't delay other clients", async () => {
    rig = await createRig();
    rig.sink.answer(({ url }) => (url.startsWith("/slow") ? "hang" : OK));
    rig.start({ clients: ["slow", "quick"].map((name) => clientOf(name, "sep24")) });
    await rig.write(Array.from({ length: 50 }, (_, n) => changed(`e${n}`, { id: "t1", n })));
    const quick = () => rig.sink.requests.filter(({ url }) => url.startsWith("/quick"));
    await rig.sink.until(() => quick().length === 50);

    expect(quick().map(({ body }) => transactionOf(body)["n"])).toStrictEqual(
      Array.from({ length: 50 }, (_, n) => n),
    );
    expect(rig.sink.requests.length - quick().length).toBe(1);
  });

  it("skip a record that is not an event, and report it once for all clients", async () => {
    rig = await createRig();
    rig.start({ clients: ["a", "b", "c"].map((name) => clientOf(name, "sep24")) });
    await rig.write([null, "{", '{"id":"e","type":"surprise"}', changed("e4", { id: "t1" })]);
    await rig.sink.received(3);

    expect(rig.broken).toStrictEqual([
      "0 empty value",
      "1 value is not a JSON object",
      "2 unknown event type surprise",
    ]);
  });

  it("continue at the position of each client's group after a restart, and send no event twice", async () => {
    rig = await createRig();
    const clients = ["a", "b"].map((name) => clientOf(name, "sep24"));
    const first = rig.start({ clients });
    await rig.write([
      changed("e1", { id: "t1", client_name: "a" }),
      changed("e2", { id: "t2", client_name: "b" }),
    ]);
    await rig.sink.received(2);
    await first.close();

    expect(
      await Promise.all(["a", "b"].map((name) => positionOf(`group-client-status-callback-${name}`))),
    ).toStrictEqual([2n, 2n]);

    await rig.write([changed("e3", { id: "t3" })]);
    rig.start({ clients });
    await rig.sink.received(4);

    expect(
      rig.sink.requests
        .slice(2)
        .map(({ url }) => url)
        .sort(),
    ).toStrictEqual(["/a/sep24", "/b/sep24"]);
  });

  it("start at positions that were stored for the groups before", async () => {
    rig = await createRig();
    await rig.write([changed("e1", { id: "t1" }), changed("e2", { id: "t2" })]);
    await rig.broker.setCommitted("group-client-status-callback-a", [
      { topic: TOPIC, partition: 0, offset: 1n },
    ]);
    rig.start({ clients: ["a", "b"].map((name) => clientOf(name, "sep24")) });
    await rig.sink.received(3);
    const received = rig.sink.requests.map(({ url, body }) => `${url} ${String(transactionOf(body)["id"])}`);

    expect(received.sort()).toStrictEqual(["/a/sep24 t2", "/b/sep24 t1", "/b/sep24 t2"]);
  });
});

describe("the sample of the event service", () => {
  it("has an entry for each plan with its lag", async () => {
    rig = await createRig();
    rig.sink.answer(() => "hang");
    const service = rig.start({ businessServer: businessServer(), clients: [clientOf("a", "sep24")] });
    await rig.write([changed("e1", { id: "t1" }), changed("e2", { id: "t1" })]);
    await rig.sink.received(2);

    expect(await service.sample()).toMatchObject([
      { connector: "event-service/callback-api", inFlight: 1, lag: { records: 2 } },
      { connector: "event-service/client/a", inFlight: 1, lag: { records: 2 } },
    ]);
  });
});

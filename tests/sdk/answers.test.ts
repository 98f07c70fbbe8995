/** Which answers the SDK accepts as the gateway's own, and its reaction to other answers. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { jest } from "@jest/globals";
import { createPace } from "../../sdk/src/pace.ts";
import { answerOf, retryAfter } from "../../sdk/src/transport.ts";
import { describeBrowser } from "../support/browser.ts";
import type { Answer } from "./fake-gateway.ts";
import { endings, flush, send, start, useShop } from "./shop.ts";

jest.setTimeout(30_000);

const stored = { status: "stored", partition: 0, offset: "0", timestamp: 1 };
const spooled = { status: "spooled", partition: null, offset: null };
const duplicate = { status: "duplicate", partition: 0, offset: "0" };
const unavailable = { status: "unavailable", error: "not resolved" };
const refused = { status: "refused", error: "no" };
const unknown = { status: "unknown", error: "lost" };

describe("an answer to two events", () => {
  it.each<[number, unknown]>([
    [200, { error: null, success: true, results: [stored, stored] }],
    [200, { error: null, success: true, results: [spooled, stored] }],
    [200, { error: null, success: true, results: [duplicate, stored] }],
    [400, { errors: ["no"], success: false, results: [stored, refused] }],
    [503, { errors: ["lost"], success: false, results: [unknown, refused] }],
    [503, { errors: ["not resolved"], success: false, results: [unavailable, duplicate] }],
  ])("%s with %j is the gateway's, with its results", (status, body) => {
    const { results } = body as { results: unknown };
    expect(answerOf(status, JSON.stringify(body), 2)).toMatchObject({ isOwn: true, results });
  });

  it.each<[number, string]>([
    [400, '{"error":"unsupported request","success":false}'],
    [413, '{"error":"Request Entity Too Large","success":false}'],
    [503, '{"error":"Server error","success":false}'],
    [409, '{"error":"the id is not resolved","success":false}'],
  ])("%s with %s is the gateway's, without results", (status, text) => {
    const answer = answerOf(status, text, 2);
    expect(answer).toMatchObject({ isOwn: true });
    expect(answer.results).toBeUndefined();
  });

  it.each<[number, string]>([
    [200, "<!doctype html><title>Welcome</title>"],
    [200, ""],
    [204, ""],
    [0, "opaqueredirect"],
    [200, "null"],
    [200, "[]"],
    [200, '"stored"'],
    [200, "{}"],
    [200, '{"error":null,"success":true}'],
    [200, JSON.stringify({ success: true, results: [stored] })],
    [200, JSON.stringify({ success: true, results: [stored, stored, stored] })],
    [200, JSON.stringify({ success: true, results: [stored, refused] })],
    [200, JSON.stringify({ success: true, results: [stored, null] })],
    [200, JSON.stringify({ success: true, results: [stored, "stored"] })],
    [200, JSON.stringify({ success: true, results: [stored, { status: ["stored"] }] })],
    [200, JSON.stringify({ success: true, results: { 0: stored, 1: stored, length: 2 } })],
    [200, JSON.stringify({ success: true, results: [stored, stored] }).slice(0, -1)],
    [202, JSON.stringify({ success: true, results: [stored, stored] })],
    [404, JSON.stringify({ message: "no Route matched", results: [refused, refused] })],
    [400, "<html>Bad Request</html>"],
    [400, '{"message":"Bad Request"}'],
    [403, '{"message":"Forbidden"}'],
    [413, "<html>413 Request Entity Too Large</html>"],
    [413, '{"error":{"code":413},"success":false}'],
    [431, '{"type":"about:blank","title":"Request Header Fields Too Large","status":431}'],
  ])("%s with %s is not the gateway's", (status, text) => {
    const answer = answerOf(status, text, 2);
    expect(answer).toMatchObject({ isOwn: false });
    expect(answer.results).toBeUndefined();
  });

  it("quotes only the beginning of a long page", () => {
    expect(answerOf(502, "x".repeat(1e6), 2).error).toHaveLength(200);
  });
});

describe("Retry-After", () => {
  const DAY = 86_400_000;
  const now = Date.UTC(2026, 0, 1);

  it.each([
    ["2592000", 30 * DAY],
    [new Date(now + 30 * DAY).toUTCString(), 30 * DAY],
    ["99999999999999999999", 366 * DAY],
    ["9".repeat(400), 366 * DAY],
    ["Fri, 31 Dec 9999 23:59:59 GMT", 366 * DAY],
    ["1e9", undefined],
    ["Thu, 32 Jan 2026 00:00:00 GMT", undefined],
  ])("%s is %s ms", (value, ms) => {
    expect(retryAfter(value, now)).toBe(ms);
  });

  it("of 30 days is waited for in parts, because a longer timer overflows", async () => {
    jest.useFakeTimers();
    const started = jest.spyOn(globalThis, "setTimeout");
    const pace = createPace({});
    pace.failed(30 * DAY);
    let isOver = false;
    void pace.wait().then(() => (isOver = true));
    await jest.advanceTimersByTimeAsync(29.9 * DAY);
    expect(isOver).toBe(false);
    expect(pace.isImposed()).toBe(true);
    await jest.advanceTimersByTimeAsync(0.2 * DAY);
    expect(isOver).toBe(true);
    for (const [, ms] of started.mock.calls) expect(ms).toBeLessThan(2 ** 31);
    jest.useRealTimers();
  });

  it("holds after a change of the computer's time", async () => {
    jest.useFakeTimers({ now: Date.UTC(2026, 0, 1) });
    const pace = createPace({ retryDelay: 0 });
    pace.failed(1000);
    jest.setSystemTime(Date.UTC(2020, 0, 1));
    let isOver = false;
    void pace.wait().then(() => (isOver = true));
    await jest.advanceTimersByTimeAsync(999);
    expect(isOver).toBe(false);
    await jest.advanceTimersByTimeAsync(2);
    expect(isOver).toBe(true);
    jest.useRealTimers();
  });
});

describeBrowser("answers in a page", () => {
  const rig = useShop();

  it.each<[string, Answer]>([
    ["a proxy's page", { status: 200, text: "<html>Welcome</html>" }],
    ["empty", { status: 204, text: "" }],
    ["a redirect", { status: 307, headers: { Location: "/elsewhere" } }],
    [
      "an answer that is cut off",
      { status: 200, headers: { "Content-Length": "5000" }, text: '{"results":[' },
    ],
    ["too many results", { status: 200, body: { success: true, results: [stored, stored, stored] } }],
    ["a proxy's 400", { status: 400, text: "<html>Bad Request</html>" }],
    ["a proxy's 413", { status: 413, text: "<html>Too Large</html>" }],
    ["a proxy's 403", { status: 403, body: { message: "Forbidden" } }],
  ])("sends the events again after each answer that is %s", async (_, answer) => {
    rig.gateway.answer = (_call, count) => (count <= 5 ? { ...answer, stores: false } : undefined);
    const page = await rig.open({ timeout: 500 });
    await send(page, 1, 2);
    await flush(page);
    expect(await endings(page)).toEqual({ 1: "stored", 2: "stored" });
    expect(await page.evaluate("window.refused")).toEqual([]);
    expect(new Set(rig.gateway.log.map(({ event }) => event.n))).toEqual(new Set([1, 2]));
  });

  it.each([413, 431, 403, 400])(
    "sets an event aside that always gets a proxy's %s, and keeps it",
    async (status) => {
      rig.gateway.answer = ({ events }) =>
        events.some(({ event }) => event.n === 2) ? { status, text: "<html>no</html>" } : undefined;
      const page = await rig.open();
      await send(page, 1, 5);
      await page.waitForFunction("Object.keys(window.outcomes).length === 4");
      await send(page, 6, 6);
      await page.waitForFunction("window.outcomes[6]");
      expect(Object.values(await endings(page))).toEqual(Array(5).fill("stored"));
      await page.evaluate("window.producer.close()");
      expect(await endings(page)).toMatchObject({ 2: "kept" });
      rig.gateway.answer = () => undefined;
      await start(page, { url: rig.gateway.url });
      await rig.gateway.stored(6);
    },
  );

  it.each([400, 413, 431])("drops an event that always gets the gateway's own %s", async (status) => {
    rig.gateway.answer = ({ events }) => (events.some(({ event }) => event.n === 2) ? { status } : undefined);
    const page = await rig.open();
    await send(page, 1, 5);
    await flush(page);
    expect(await endings(page)).toEqual({ 1: "stored", 2: "refused", 3: "stored", 4: "stored", 5: "stored" });
  });

  it("keeps the order through an outage in which a proxy answers", async () => {
    rig.gateway.answer = (_, count) => (count <= 12 ? { status: 404, text: "default backend" } : undefined);
    const page = await rig.open({ maxBatchEvents: 4 });
    await send(page, 1, 10);
    await flush(page);
    expect(rig.gateway.log.map(({ event }) => event.n)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
  });

  it("does not send the credential to the target of a redirect", async () => {
    const asked: string[] = [];
    const thief = createServer((request, response) => {
      asked.push(request.method ?? "");
      response.setHeader("Access-Control-Allow-Origin", "*").end();
    });
    await new Promise<void>((resolve) => thief.listen(0, "127.0.0.1", resolve));
    const { port } = thief.address() as AddressInfo;
    rig.gateway.answer = (_, count) =>
      count < 3
        ? { status: 307, headers: { Location: `http://127.0.0.1:${port}/` }, stores: false }
        : undefined;
    const page = await rig.open();
    await send(page, 1, 1);
    await flush(page);
    expect(asked).toEqual([]);
    thief.close();
  });

  it("sends no request during a Retry-After of 30 days", async () => {
    rig.gateway.answer = () => ({ status: 503, headers: { "Retry-After": "2592000" } });
    const page = await rig.open();
    await send(page, 1, 1);
    await page.waitForFunction("window.retries.length > 0");
    await page.waitForFunction(
      `performance.now() > ${await page.evaluate<number>("performance.now()")} + 700`,
    );
    expect(rig.gateway.received).toHaveLength(1);
    await page.evaluate("window.producer.close()");
    expect(await endings(page)).toEqual({ 1: "kept" });
  });
});

import { createHash, createHmac } from "node:crypto";
import { asGatewayError, GatewayError } from "../../../src/errors.ts";
import type { EventOutcome, ProduceRequest } from "../../../src/ingest/produce.ts";
import {
  createWebhooks,
  type Admit,
  type WebhookDeclaration,
} from "../../../src/ingest/webhooks/webhooks.ts";
import type { EventValidator } from "../../../src/ingest/schema/validator.ts";
import { createFakeClock } from "../../support/fake-clock.ts";
import { failure, NOW, request, type Sent } from "./senders.ts";

const HOUR = 3_600_000;
const STORED: EventOutcome = { status: "stored", partition: 0, offset: 0n, timestamp: NOW };

type PlainDeclaration = Exclude<WebhookDeclaration, { scheme: "hmac" }>;

const declare = (rest: Partial<PlainDeclaration>): WebhookDeclaration => ({
  source: "hub",
  station: "pushes",
  scheme: "github",
  secrets: ["s"],
  duplicateWindow: HOUR,
  ...rest,
});

/** A `produce` whose outcomes the test settles, one promise for each call. */
const setUp = (declared: readonly WebhookDeclaration[] = [declare({})], validator?: EventValidator) => {
  const clock = createFakeClock(NOW);
  const calls: ProduceRequest[] = [];
  const settle: ((outcome: EventOutcome) => void)[] = [];
  const refusals: string[] = [];
  const webhooks = createWebhooks({
    contentLimits: { maxDepth: 64 },
    declared,
    clock,
    stations: { resolve: (name) => ({ name, topic: name, key: undefined, validator }) },
    produce: (call) => {
      calls.push(call);
      return new Promise((resolve) =>
        settle.push((outcome) => {
          resolve([outcome]);
        }),
      );
    },
    refused: (source, reason) => refusals.push(`${source} ${reason}`),
  });
  return { webhooks, clock, calls, settle, refusals };
};

const push = (headers: Record<string, string> = {}, body = "{}"): Sent => ({
  body,
  headers: {
    "x-hub-signature-256": `sha256=${createHmac("sha256", "s").update(body).digest("hex")}`,
    "content-type": "application/json",
    "x-github-delivery": "d1",
    "x-github-event": "push",
    ...headers,
  },
});

const admitted = (): void => undefined;

const settled = async (promise: Promise<unknown>): Promise<boolean> => {
  const pending = Symbol("pending");
  await new Promise(setImmediate);
  return (await Promise.race([promise, Promise.resolve(pending)])) !== pending;
};

describe("createWebhooks", () => {
  it("asks for admission after the verification, and stores nothing without it", async () => {
    const limits = { eventsPerSecond: 1 };
    const { webhooks, calls } = setUp([declare({ limits })]);
    const asked: unknown[] = [];
    const admit: Admit = ({ kind, name, limits: held }, bytes) => {
      asked.push([kind, name, held, bytes]);
      throw new GatewayError("RATE_LIMITED", { retryAfter: 1 });
    };
    const hub = webhooks.find("hub");
    const forged = request({ ...push(), body: "{ }" });
    await expect(hub.receive(forged, admit)).rejects.toMatchObject({ code: "UNAUTHORIZED" });
    await expect(hub.receive(request(push()), admit)).rejects.toMatchObject({ code: "RATE_LIMITED" });
    expect(asked).toEqual([["webhook", "hub", limits, 162]]);
    expect(calls).toEqual([]);
  });

  it("answers 202 after the event is stored, and not before", async () => {
    const { webhooks, settle } = setUp();
    const answer = webhooks.find("hub").receive(request(push()), admitted);
    expect(await settled(answer)).toBe(false);
    settle[0]?.(STORED);
    expect(await answer).toEqual({ status: 202, headers: {}, body: "" });
  });

  it("stores the body unchanged, with its content type, the source and the delivery id", async () => {
    const { webhooks, settle, calls } = setUp();
    const sent = push({ authorization: "Bearer x", "x-some-token": "x", "x-webhook-id": "forged" }, "{ }\n");
    const answer = webhooks.find("hub").receive(request(sent), admitted);
    await settled(answer);
    settle[0]?.(STORED);
    await answer;
    const [call] = calls;
    const [event] = call?.events ?? [];
    if (event === undefined || event instanceof GatewayError) throw new Error("nothing was stored");
    expect(call).toMatchObject({ principal: { kind: "webhook", name: "hub" }, station: { name: "pushes" } });
    expect(event).toMatchObject({ value: Buffer.from("{ }\n"), contentType: "application/json" });
    expect(event.headers.map(({ name, value }) => [name, String(value)])).toEqual([
      ["x-hub-signature-256", sent.headers?.["x-hub-signature-256"]],
      ["x-github-delivery", "d1"],
      ["x-github-event", "push"],
      ["x-webhook-source", "hub"],
      ["x-webhook-id", "d1"],
    ]);
  });

  it("takes a structured CloudEvent apart for a registry station", async () => {
    const validator: EventValidator = {
      ...{ kind: "registry", subject: "s", message: undefined, hasPointer: false },
      current: () => new GatewayError("REGISTRY_UNAVAILABLE"),
    };
    const { webhooks, settle, calls } = setUp([declare({})], validator);
    const body = '{"specversion":"1.0","id":"1","source":"/s","type":"t","data":{"a":1.0}}';
    const sent = push({ "content-type": "application/cloudevents+json" }, body);
    const answer = webhooks.find("hub").receive(request(sent), admitted);
    await settled(answer);
    settle[0]?.(STORED);
    await answer;
    expect(calls[0]?.events[0]).toMatchObject({ value: Buffer.from('{"a":1.0}') });
    expect(calls[0]?.events[0]).toHaveProperty(
      "headers",
      expect.arrayContaining([{ name: "ce_id", value: Buffer.from("1") }]),
    );
  });

  it("writes only to its own station", async () => {
    const { webhooks, calls } = setUp();
    void webhooks.find("hub").receive(request(push()), admitted);
    await settled(Promise.resolve());
    const principal = calls[0]?.principal;
    expect([principal?.mayProduce("pushes"), principal?.mayProduce("other")]).toEqual([true, false]);
    expect(principal?.mayConsume("pushes")).toBe(false);
  });

  it("reports a refused request, and stores nothing", async () => {
    const { webhooks, calls, refusals } = setUp();
    const forged = request({ ...push(), body: "forged" });
    await expect(webhooks.find("hub").receive(forged, admitted)).rejects.toMatchObject({
      code: "UNAUTHORIZED",
    });
    expect([calls, refusals]).toEqual([[], ["hub credential-wrong"]]);
  });

  it("throws for an unknown source", () => {
    expect(failure(() => setUp().webhooks.find("HUB"))).toMatchObject({ code: "ROUTE_UNKNOWN" });
  });

  it("produces with the source, the delivery id and the body as the id of the call", async () => {
    const { webhooks, calls } = setUp([
      declare({}),
      declare({ source: "lax", duplicateWindow: 1000, once: { strict: false } }),
    ]);
    const digest = createHash("sha256").update("{}").digest("hex");
    for (const source of ["hub", "lax"]) void webhooks.find(source).receive(request(push()), admitted);
    void webhooks.find("hub").receive(request(push({}, "[]")), admitted);
    await settled(Promise.resolve());
    const [first, lax, otherBody] = calls.map(({ callId }) => callId);
    expect(first).toEqual({ scope: ["webhook", "hub", "d1", digest], windowMs: HOUR, strict: true });
    expect(lax).toEqual({ scope: ["webhook", "lax", "d1", digest], windowMs: 1000, strict: false });
    expect(otherBody?.scope.slice(0, 3)).toEqual(["webhook", "hub", "d1"]);
    expect(otherBody?.scope[3]).not.toBe(digest);
  });

  it("answers 202 for a delivery that was stored before", async () => {
    const { webhooks, settle } = setUp();
    const answer = webhooks.find("hub").receive(request(push()), admitted);
    await settled(answer);
    settle[0]?.({ ...STORED, duplicate: true });
    expect(await answer).toEqual({ status: 202, headers: {}, body: "" });
  });

  it("answers 503 while the id of the delivery is not resolved", async () => {
    const { webhooks, settle } = setUp();
    const answer = webhooks.find("hub").receive(request(push()), admitted);
    await settled(answer.catch(() => undefined));
    settle[0]?.({ status: "failed", error: new GatewayError("ID_UNRESOLVED") });
    await expect(answer).rejects.toMatchObject({ code: "BROKER_AMBIGUOUS", status: 503, retryAfter: 1 });
  });

  it("produces a delivery without an id without an id of the call", async () => {
    const { webhooks, calls } = setUp();
    void webhooks.find("hub").receive(request(push({ "x-github-delivery": "" })), admitted);
    await settled(Promise.resolve());
    expect(calls.map(({ callId }) => callId)).toEqual([undefined]);
  });

  it("rejects with the error of an event that is not stored", async () => {
    const { webhooks, settle } = setUp();
    const first = webhooks.find("hub").receive(request(push()), admitted);
    await settled(first.catch(() => undefined));
    settle[0]?.({ status: "failed", error: new GatewayError("BROKER_UNAVAILABLE") });
    await expect(first).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE", retryAfter: 1 });
  });

  it.each([
    ["slack", 3000],
    ["shopify", 5000],
    ["github", 10_000],
  ] as const)("answers 503 to %s before its %d ms are over", async (scheme, limit) => {
    const { webhooks, clock } = setUp([declare({ scheme })]);
    const sent = deliveries[scheme];
    const first = webhooks.find("hub").receive(request(sent), admitted);
    const failed = first.catch(asGatewayError);
    await settled(first.catch(() => undefined));
    clock.advance(limit - 250);
    expect(await failed).toMatchObject({ code: "BROKER_AMBIGUOUS" });
  });

  it("names the source with missing settings", () => {
    expect(failure(() => setUp([declare({ scheme: "twilio" })]))).toMatchObject({
      code: "SETTINGS_INVALID",
      message: expect.stringContaining("hub") as unknown,
    });
  });
});

const slackTime = String(NOW / 1000);
const slackBody = '{"event_id":"Ev1"}';

const deliveries = {
  github: push(),
  shopify: {
    body: "{}",
    headers: {
      "x-shopify-hmac-sha256": createHmac("sha256", "s").update("{}").digest("base64"),
      "x-shopify-event-id": "e1",
    },
  },
  slack: {
    body: slackBody,
    headers: {
      "x-slack-request-timestamp": slackTime,
      "x-slack-signature": `v0=${createHmac("sha256", "s").update(`v0:${slackTime}:${slackBody}`).digest("hex")}`,
    },
  },
};

import { createHmac } from "node:crypto";
import request from "supertest";
import { GatewayError } from "../../../../src/errors.ts";
import { webhookRoutes } from "../../../../src/http/handlers/webhooks/routes.ts";
import { bodyReaders } from "../../../../src/http/middleware/body/body.ts";
import { createMemoryBudget } from "../../../../src/lib/memory-budget.ts";
import type { WebhookRequest } from "../../../../src/ingest/webhooks/webhook.ts";
import { createVerifier } from "../../../../src/ingest/webhooks/verifier.ts";
import { createTestGateway, LIMIT } from "../../support.ts";

const BODY = '{"a":1.0}';

/** The webhook routes with real verifiers. Events are kept in an array. */
const setUp = async () => {
  const verifiers = {
    hub: createVerifier({ scheme: "github", secrets: ["s"] }),
    app: createVerifier({ scheme: "meta", secrets: ["s"], verifyToken: "known" }),
    events: createVerifier({ scheme: "cloudevents", secrets: ["s"] }),
  };
  const stored: WebhookRequest[] = [];
  const routes = webhookRoutes({
    readBody: bodyReaders(createMemoryBudget(1 << 24))({ maxBytes: LIMIT, timeoutMs: 1000 }),
    countCall: () => undefined,
    intake: { admit: () => undefined },
    webhooks: {
      find: (name) => {
        const verifier = Object.entries(verifiers).find(([source]) => source === name)?.[1];
        if (verifier === undefined) throw new GatewayError("ROUTE_UNKNOWN");
        const receive = (given: WebhookRequest) => {
          const verdict = verifier.verify(given, Date.now());
          if (verdict.status === "handshake") return verdict.answer;
          if (verdict.status === "refused") throw new GatewayError("UNAUTHORIZED");
          stored.push(given);
          return { status: 202, headers: {}, body: "" } as const;
        };
        return { station: "plain", receive: async (given) => Promise.resolve(given).then(receive) };
      },
    },
  });
  const gateway = await createTestGateway({ routes });
  return { ...gateway, stored };
};

const signature = `sha256=${createHmac("sha256", "s").update(BODY).digest("hex")}`;

describe("/webhooks/:source", () => {
  it("accepts a signed delivery of any content type without a token", async () => {
    const { app, stored } = await setUp();
    const answer = await request(app)
      .post("/webhooks/hub?a=b&c=%20")
      .set("X-Hub-Signature-256", signature)
      .set("Content-Type", "application/vnd.some+json")
      .send(BODY);
    expect([answer.status, answer.text]).toEqual([202, ""]);
    expect(stored).toMatchObject([{ method: "POST", query: "a=b&c=%20", body: Buffer.from(BODY) }]);
    expect(stored[0]?.rawHeaders).toContain("X-Hub-Signature-256");
  });

  it("refuses a forged delivery, an unknown source and a body over the limit", async () => {
    const { app, stored } = await setUp();
    const forged = await request(app).post("/webhooks/hub").set("X-Hub-Signature-256", signature).send("x");
    expect([forged.status, forged.type]).toEqual([401, "application/problem+json"]);
    expect((await request(app).post("/webhooks/other").send(BODY)).status).toBe(404);
    expect(
      (
        await request(app)
          .post("/webhooks/hub")
          .send("x".repeat(LIMIT + 1))
      ).status,
    ).toBe(413);
    expect(stored).toEqual([]);
  });

  it("answers the handshakes of senders by GET and OPTIONS", async () => {
    const { app } = await setUp();
    const query = "hub.mode=subscribe&hub.challenge=42";
    const verified = await request(app).get(`/webhooks/app?${query}&hub.verify_token=known`);
    expect([verified.status, verified.type, verified.text]).toEqual([200, "text/plain", "42"]);
    expect((await request(app).get(`/webhooks/app?${query}&hub.verify_token=no`)).status).toBe(403);
    const allowed = await request(app).options("/webhooks/events").set("WebHook-Request-Origin", "e.example");
    expect([allowed.status, allowed.headers["webhook-allowed-origin"]]).toEqual([200, "e.example"]);
  });

  it.each(["get", "put", "delete"] as const)(
    "answers 405 to %s if the source has no such handshake",
    async (method) => {
      const { app } = await setUp();
      const answer = await request(app)[method]("/webhooks/hub");
      expect(answer.status).toBe(405);
      expect(answer.headers["allow"]).toContain("POST");
    },
  );
});

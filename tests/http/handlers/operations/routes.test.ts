import request from "supertest";
import { GatewayError } from "../../../../src/errors.ts";
import { createMemoryBroker } from "../../../../src/broker/memory/memory-broker.ts";
import { ADMIN_TOKEN, createTestGateway } from "../../support.ts";

const OPERATOR = ["Authorization", `Bearer ${ADMIN_TOKEN}`] as const;

it.each(["/monitoring/status", "/Monitoring/Status/", "/healthz", "/readyz"])("answers %s", async (path) => {
  const { app } = await createTestGateway();
  const answer = await request(app).get(path);
  expect([answer.status, answer.body]).toEqual([200, { status: "ok" }]);
});

describe("readyz", () => {
  it("answers 503 while no event can be stored, and healthz answers 200", async () => {
    const broker = {
      ...createMemoryBroker(),
      check: () => Promise.reject(new GatewayError("BROKER_UNAVAILABLE")),
    };
    const { app, admin } = await createTestGateway({ broker });
    for (const listener of [app, admin]) {
      const answer = await request(listener).get("/readyz");
      expect(answer.status).toBe(503);
      expect(answer.headers["content-type"]).toBe("application/problem+json");
      expect(answer.body).toMatchObject({ status: 503, code: "BROKER_UNAVAILABLE" });
      expect(answer.headers).toHaveProperty("retry-after");
      expect((await request(listener).get("/healthz")).status).toBe(200);
    }
  });

  it("answers 503 during shutdown", async () => {
    const { app, health } = await createTestGateway();
    health.shutDown();
    expect((await request(app).get("/readyz")).body).toMatchObject({ status: 503, code: "SHUTTING_DOWN" });
  });
});

describe("the operators' listener", () => {
  const bare = { partitions: 1, replicationFactor: null, schema: null, key: null, once: null };

  it("serves metrics without a credential", async () => {
    const { admin } = await createTestGateway();
    const answer = await request(admin).get("/metrics");
    expect(answer.status).toBe(200);
    expect(answer.headers["content-type"]).toContain("text/plain");
    expect(answer.text).toContain("process_cpu_seconds_total");
  });

  it("lists the stations for operators", async () => {
    const { admin } = await createTestGateway();
    const answer = await request(admin)
      .get("/stations")
      .set(...OPERATOR);
    expect(answer.status).toBe(200);
    expect((answer.body as { stations: object[] }).stations).toEqual([
      { ...bare, name: "plain", topic: "plain" },
      { ...bare, name: "orders", topic: "shop.orders", schema: "json-schema", key: "/id" },
      {
        ...{ ...bare, name: "hidden", topic: "hidden" },
        once: { id: "header:x-event-id", windowMs: 60_000, strict: false },
      },
      { ...bare, name: "missing-topic", topic: "nowhere", partitions: null },
    ]);
  });

  it("lists undeclared topics if autoCreateStations is on", async () => {
    const { admin, broker } = await createTestGateway({ autoCreate: true });
    await broker.ensureTopic({ name: "new-one", partitions: 2 });
    await broker.ensureTopic({ name: "_internal" });
    const answer = await request(admin)
      .get("/stations")
      .set(...OPERATOR);
    const { stations } = answer.body as { stations: { name: string }[] };
    expect(stations.slice(4)).toEqual([{ ...bare, name: "new-one", topic: "new-one", partitions: 2 }]);
  });

  it("shows the gateway and its broker", async () => {
    const { admin } = await createTestGateway();
    const answer = await request(admin)
      .get("/gateway")
      .set(...OPERATOR);
    expect(answer.body).toEqual({
      version: "1.2.3",
      commit: "abc",
      roles: ["ingest"],
      broker: { kind: "memory", addresses: [], clusterId: "stationgate", topics: 3, partitions: 3 },
      viewersReadEvents: false,
      publicListener: { scheme: "http", host: "0.0.0.0", port: 4444 },
      settings: { generation: 1, loadedAt: "2026-01-01T00:00:00.000Z", needsRestart: [] },
    });
  });

  it.each([
    ["is away", () => Promise.reject(new GatewayError("BROKER_UNAVAILABLE"))],
    ["doesn't answer", () => new Promise<never>(() => undefined)],
  ])("shows the gateway while the broker %s", async (_, fails) => {
    const broker = { ...createMemoryBroker(), clusterId: fails, topics: fails };
    const { admin } = await createTestGateway({ broker });
    const answer = await request(admin)
      .get("/gateway")
      .set(...OPERATOR);
    expect(answer.body).toMatchObject({ broker: { clusterId: null, topics: null, partitions: null } });
  });

  it.each(["/stations", "/unknown"])("refuses clients without the admin token on %s", async (path) => {
    const { admin, token } = await createTestGateway();
    const client = await token();
    for (const credential of ["", "Bearer wrong", `Bearer ${client}`, `Basic ${ADMIN_TOKEN}`]) {
      const answer = await request(admin).get(path).set("Authorization", credential);
      expect([answer.status, (answer.body as { code: string }).code]).toEqual([401, "UNAUTHORIZED"]);
    }
  });

  it("answers 404 for an unknown path to operators", async () => {
    const { admin } = await createTestGateway();
    const answer = await request(admin)
      .get("/unknown")
      .set(...OPERATOR);
    expect([answer.status, (answer.body as { code: string }).code]).toEqual([404, "ROUTE_UNKNOWN"]);
  });
});

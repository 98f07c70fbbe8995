/** The registry of the settings: its log lines and metrics. */
import { createLifecycle } from "../../src/app/lifecycle.ts";
import { openRegistry } from "../../src/app/wire-registry.ts";
import { createMetrics } from "../../src/observability/metrics.ts";
import { settingsOf } from "../config/support.ts";
import { errorOf } from "../registry/support.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { startRegistry, type TestRegistry } from "../support/registry/registry.ts";

const SCHEMA = JSON.stringify({ title: "Order", type: "object" });

describe("openRegistry", () => {
  let registry: TestRegistry;

  beforeEach(async () => {
    registry = await startRegistry();
  });
  afterEach(() => registry[Symbol.asyncDispose]());

  const open = (yaml: string) => {
    const lines: string[] = [];
    const line = (fields: unknown, text = ""): void => {
      lines.push(`${text} ${JSON.stringify(fields)}`);
    };
    const logger = { trace: line, debug: line, info: line, warn: line, error: line, fatal: line };
    const metrics = createMetrics();
    const lifecycle = createLifecycle(logger);
    const log = { logger } as unknown as Parameters<typeof openRegistry>[1]["log"];
    const clock = createFakeClock();
    const schemas = openRegistry(settingsOf({ yaml }), { clock, log, metrics, lifecycle });
    return { schemas, lines, metrics, clock, close: () => lifecycle.close(1000) };
  };

  it("is undefined without a URL", () => {
    expect(open("registry: { timeout: 1s }").schemas).toBeUndefined();
  });

  it("counts requests and schemas, and logs an outage without the credential", async () => {
    registry.add("orders-value", SCHEMA, { schemaType: "JSON" });
    const { schemas, lines, metrics, clock, close } = open(
      `registry: { url: "${registry.url.replace("//", "//user:hush@")}", cacheTtl: 1s }`,
    );
    const find = async () => schemas?.find({ of: { subject: "orders-value" }, by: "latest" });
    expect(await find()).toMatchObject({ id: 1, schema: { type: "JSONSCHEMA" } });
    await registry.become("refusing");
    clock.advance(1000);
    expect(await find()).toMatchObject({ id: 1 });
    const { host } = new URL(registry.url);
    expect(lines).toEqual([
      `the schema registry is unavailable; known schemas stay in use {"addresses":["${host}"],"reason":"connection failed: ECONNREFUSED"}`,
    ]);
    await registry.become("up");
    expect((await errorOf(async () => schemas?.find({ of: { subject: "b" }, by: "latest" }))).code).toBe(
      "SCHEMA_UNKNOWN",
    );
    expect(lines[1]).toBe(`the schema registry is back {"addresses":["${host}"]}`);
    const text = await metrics.text();
    expect(text).toContain('stationgate_registry_requests_total{operation="version",outcome="found"} 1');
    expect(text).toContain('stationgate_registry_requests_total{operation="version",outcome="absent"} 1');
    expect(text).toContain(
      'stationgate_registry_requests_total{operation="version",outcome="unavailable"} 1',
    );
    expect(text).toContain("stationgate_registry_schemas 1");
    expect(text).toContain("stationgate_registry_stale_answers_total 1");
    expect(text).toContain('stationgate_registry_request_seconds_count{operation="version"} 3');
    await close();
  });
});

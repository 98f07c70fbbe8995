/** The registry of the settings: its log lines and metrics. */
import type { Configured } from "../../src/app/context.ts";
import { createLifecycle } from "../../src/app/lifecycle.ts";
import { followRegistry, openRegistry } from "../../src/app/wire-registry.ts";
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
    const settings = settingsOf({ yaml });
    const opened = openRegistry(settings, { clock, log, metrics });
    const inUse = { now: { settings, registry: opened } as Configured };
    const decoding = followRegistry({ inUse, metrics, lifecycle });
    const again = (next: string) => openRegistry(settingsOf({ yaml: next }), { clock, log, metrics }, opened);
    const close = () => lifecycle.close(1000);
    return { opened, schemas: opened?.client, again, inUse, decoding, lines, metrics, clock, close };
  };

  it("is undefined without a URL", () => {
    expect(open("registry: { timeout: 1s }").schemas).toBeUndefined();
  });

  it("uses the same client for equal settings, whatever else has changed", async () => {
    const yaml = `registry: { url: "${registry.url}", cacheTtl: 1s`;
    const { opened, again, close } = open(`${yaml} }`);
    expect(
      again(`${yaml}, autoRegister: true, strategy: { key: record-name } }\ncors: { origins: ["a://b"] }`),
    ).toBe(opened);
    const other = again(`${yaml}, timeout: 1s }`);
    expect(other).not.toBe(opened);
    await other?.client.close();
    await close();
  });

  it("decodes with the registry in use", async () => {
    const { id } = registry.add("orders-value", SCHEMA, { schemaType: "JSON" });
    const { inUse, decoding, close } = open("registry: { timeout: 1s }");
    expect(decoding.decoder()).toBeUndefined();
    const { opened } = open(`registry: { url: "${registry.url}" }`);
    inUse.now = { ...inUse.now, registry: opened };
    const value = Buffer.concat([Buffer.from([0, 0, 0, 0, id]), Buffer.from("{}")]);
    const record = { key: null, value, headers: [] };
    await decoding.decoder()?.prepare([record]);
    expect(decoding.decoder()?.decode(record, "value", "json")).toMatchObject({ status: "decoded" });
    await close();
  });

  it("asks no more unasked questions, and still answers, when it is retired", async () => {
    registry.add("orders-value", SCHEMA, { schemaType: "JSON" });
    const { schemas, lines, clock, metrics, close } = open(`registry: { url: "${registry.url}" }`);
    const find = async () => schemas?.find({ of: { subject: "orders-value" }, by: "latest" });
    await registry.become("refusing");
    expect((await errorOf(find)).code).toBe("REGISTRY_UNAVAILABLE");
    schemas?.retire();
    clock.advance(10_000);
    await registry.become("up");
    expect(await metrics.text()).toContain(
      'stationgate_registry_requests_total{operation="version",outcome="unavailable"} 1',
    );
    expect(await find()).toMatchObject({ id: 1 });
    expect(lines).toHaveLength(1);
    await close();
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

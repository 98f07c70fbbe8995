/** The contract between the gateway's client and a real registry, Apicurio. */
import { compileSchema } from "../../src/formats/formats.ts";
import type { SchemaQuestion, SchemaRegistry } from "../../src/registry/contract.ts";
import { createSchemaRegistry } from "../../src/registry/registry.ts";
import { systemClock } from "../../src/lib/clock.ts";
import { errorOf } from "../registry/support.ts";
import { describeApicurio } from "../support/registry/apicurio.ts";

/** Apicurio guesses the type of a text, and needs these members to take it for a JSON Schema. */
const textOf = (title: string, type = "integer"): string =>
  JSON.stringify({
    $schema: "http://json-schema.org/draft-07/schema#",
    title,
    type: "object",
    properties: { id: { type } },
  });

const ORDER = textOf("Order");
const NEXT = textOf("Order", "number");
const TYPE = "JSONSCHEMA";

describeApicurio("a client of Apicurio", (apicurio) => {
  let schemas: SchemaRegistry;

  beforeAll(() => {
    schemas = createSchemaRegistry({
      urls: [`${apicurio.url}/`],
      tls: {},
      timeoutMs: 20_000,
      cacheTtlMs: 1,
      negativeTtlMs: 1,
      maxSchemas: 100,
      maxSchemaBytes: 10_000,
      normalize: false,
      limits: { maxDepth: 10, maxBytes: 10_000, unknownFields: "refuse" },
      compile: compileSchema,
      clock: systemClock,
      asked: () => undefined,
      onUnavailable: () => undefined,
      onBack: () => undefined,
      onStale: () => undefined,
      schemasFrom: () => undefined,
    });
  });
  afterAll(() => schemas.close());

  const byText = (subject: string, text: string, register: boolean): SchemaQuestion => ({
    of: { subject },
    by: "text",
    type: TYPE,
    text,
    register,
  });

  it("registers a text, and finds it by its text, its id, its version and as the latest", async () => {
    const subject = "orders/eu-value";
    const first = await schemas.find(byText(subject, ORDER, true));
    expect(first).toMatchObject({ subject, version: 1, schema: { type: TYPE, name: "Order" } });
    const { id } = first;
    await fetch(`${apicurio.url}/config/orders%2Feu-value`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: '{"compatibility":"NONE"}',
    });
    expect(await schemas.find(byText(subject, NEXT, true))).toMatchObject({ version: 2 });
    const fresh = async (question: SchemaQuestion) => schemas.find(question);
    expect(await fresh(byText(subject, ORDER, false))).toMatchObject({ id, version: 1 });
    expect(await fresh({ of: { subject }, by: "id", id })).toMatchObject({ id, version: 1 });
    expect(await fresh({ of: { subject }, by: "version", version: 1 })).toMatchObject({ id });
    expect(await fresh({ of: { subject }, by: "latest" })).toMatchObject({ version: 2 });
    expect(await schemas.schemaOf(id)).toMatchObject({ name: "Order" });
  }, 60_000);

  it("says what does not exist", async () => {
    await schemas.find(byText("known-value", ORDER, true));
    const codes = await Promise.all(
      (
        [
          { of: { subject: "unknown-value" }, by: "latest" },
          { of: { subject: "unknown-value" }, by: "version", version: 1 },
          { of: { subject: "known-value" }, by: "version", version: 9 },
          { of: { subject: "known-value" }, by: "id", id: 1_000_000 },
          byText("known-value", textOf("Other"), false),
          byText("unknown-value", ORDER, false),
        ] satisfies SchemaQuestion[]
      ).map(async (question) => (await errorOf(() => schemas.find(question))).code),
    );
    expect(codes).toEqual([
      "SCHEMA_UNKNOWN",
      "SCHEMA_VERSION_UNKNOWN",
      "SCHEMA_VERSION_UNKNOWN",
      "SCHEMA_UNKNOWN",
      "SCHEMA_UNKNOWN",
      "SCHEMA_UNKNOWN",
    ]);
    expect(await schemas.schemaOf(1_000_000)).toBeUndefined();
    expect(await schemas.schemaOf("00000000-0000-0000-0000-000000000000")).toBeUndefined();
  }, 60_000);

  it("an id that belongs to another subject is refused", async () => {
    const { id } = await schemas.find(byText("one-value", textOf("One"), true));
    await schemas.find(byText("two-value", textOf("Two"), true));
    expect(await errorOf(() => schemas.find({ of: { subject: "two-value" }, by: "id", id }))).toEqual({
      code: "SCHEMA_UNKNOWN",
      message: `Schema ${id} does not belong to the subject two-value`,
    });
  }, 60_000);

  it("a schema that is not compatible is refused with the registry's reason", async () => {
    const subject = "strict-value";
    await schemas.find(byText(subject, ORDER, true));
    await fetch(`${apicurio.url}/config/${subject}`, {
      method: "PUT",
      headers: { "content-type": "application/json" },
      body: '{"compatibility":"FULL"}',
    });
    const { code, message } = await errorOf(() =>
      schemas.find(byText(subject, textOf("Order", "string"), true)),
    );
    expect(code).toBe("SCHEMA_REGISTRATION_REFUSED");
    expect(message).toContain(
      "The schema registry does not register the schema for the subject strict-value (",
    );
  }, 60_000);
});

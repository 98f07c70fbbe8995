import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { loadJsonSchema } from "../../../../src/ingest/schema/json-schema/json-schema.ts";
import type { FileValidator } from "../../../../src/ingest/schema/validator.ts";

interface Vector {
  readonly schema: unknown;
  readonly event: unknown;
  readonly text: string;
}

/** Schemas, events and error texts. The texts are the output of github.com/santhosh-tekuri/jsonschema v5.3.1. */
const vectors = JSON.parse(
  readFileSync(path.join(import.meta.dirname, "json-schema-vectors.json"), "utf8"),
) as Vector[];

const dir = mkdtempSync(path.join(tmpdir(), "json-schema-"));
afterAll(() => {
  rmSync(dir, { recursive: true });
});

let files = 0;
const load = (schema: unknown): Promise<FileValidator> => {
  const file = path.join(dir, `${String(files++)}.json`);
  writeFileSync(file, typeof schema === "string" ? schema : JSON.stringify(schema));
  return loadJsonSchema({ type: "json-schema", file }, { station: "orders", limits: { maxDepth: 128 } });
};
const judge = (validator: FileValidator, event: Buffer | string): string => {
  const judged = validator.validate(Buffer.from(event as string), "text/plain");
  return judged.status === "refused" ? judged.error.message : "accepted";
};

describe("refusals of a JSON Schema", () => {
  it.each(vectors)("$text", async ({ schema, event, text }) => {
    expect(judge(await load(schema), JSON.stringify(event))).toBe(`Schema validation has failed: ${text}`);
  });

  it("say why an event is not JSON", async () => {
    const validator = await load({});
    expect(judge(validator, "{")).toMatch(/^Schema validation has failed: Bad JSON format - .+/);
    expect(judge(validator, Buffer.from([0x22, 0xff, 0x22]))).toBe(
      "Schema validation has failed: Bad JSON format - not valid UTF-8",
    );
    expect(judge(validator, `${"[".repeat(129)}${"]".repeat(129)}`)).toBe("JSON is nested too deep");
  });

  it("name the member for propertyNames, and the innermost of several schemas", async () => {
    const validator = await load({
      properties: { tags: { items: { anyOf: [{ type: "string" }, { properties: { a: { const: 1 } } }] } } },
    });
    expect(judge(validator, '{"tags":[{"a":2}]}')).toContain(
      "'/tags/0' does not validate with orders#/properties/tags/items/anyOf/0/type: expected string, but got object",
    );
  });

  it("do not treat inherited names as members", async () => {
    expect(judge(await load({ required: ["constructor", "__proto__"] }), "{}")).toContain(
      "missing properties: 'constructor', '__proto__'",
    );
  });
});

describe("a JSON Schema", () => {
  it("accepts the event's own bytes with its content type", async () => {
    const event = Buffer.from('{ "n": 12345678901234567890 }');
    const judged = (await load({ type: "object" })).validate(event, "text/plain");
    expect(judged).toEqual({ status: "accepted", value: event, contentType: "text/plain" });
    expect((judged as { value: Buffer }).value).toBe(event);
  });

  it.each([
    ["date-time", "2026-01-02T03:04:05Z", "yesterday"],
    ["uuid", "6ba7b810-9dad-11d1-80b4-00c04fd430c8", "x"],
    ["ipv4", "127.0.0.1", "1.2.3"],
  ])("checks the format %s in every draft", async (format, good, bad) => {
    for (const $schema of ["http://json-schema.org/draft-07/schema#", undefined]) {
      const validator = await load({ $schema, type: "string", format });
      expect(judge(validator, JSON.stringify(good))).toBe("accepted");
      expect(judge(validator, JSON.stringify(bad))).toContain(`'${bad}' is not valid '${format}'`);
    }
  });

  it("is read as 2020-12 if it names no draft", async () => {
    expect(judge(await load({ prefixItems: [{ type: "string" }] }), "[1]")).toContain("#/prefixItems/0/type");
    const draft7 = await load({ $schema: "http://json-schema.org/draft-07/schema", prefixItems: [false] });
    expect(judge(draft7, "[1]")).toBe("accepted");
  });

  it("can refer to itself by its $id", async () => {
    const validator = await load({
      $id: "https://example.org/order",
      $defs: { id: { type: "string" } },
      properties: { id: { $ref: "https://example.org/order#/$defs/id" } },
    });
    expect(judge(validator, '{"id":1}')).toMatch(
      /'\/id' does not validate with orders#\/.*: expected string/,
    );
  });

  it.each([
    ["{", /JSON/],
    [{ type: "strin" }, /type/],
    [{ $ref: "#/nowhere" }, /nowhere/],
    [{ $ref: "http://example.org/elsewhere" }, /elsewhere/],
    [{ $schema: "http://json-schema.org/draft-03/schema#" }, /supported are/],
    [{ pattern: "(" }, /pattern|regular/i],
  ])("is refused at the start if it is invalid: %j", async (schema, reason) => {
    await expect(load(schema)).rejects.toMatchObject({
      code: "SETTINGS_INVALID",
      message: expect.stringMatching(/^Station orders: the schema .*\.json can't be used: /) as unknown,
    });
    await expect(load(schema)).rejects.toThrow(reason);
  });

  it("is refused at the start if its file is missing", async () => {
    const file = path.join(dir, "missing.json");
    await expect(
      loadJsonSchema({ type: "json-schema", file }, { station: "s", limits: { maxDepth: 1 } }),
    ).rejects.toThrow(/missing\.json can't be used: ENOENT/);
  });
});

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import {
  isSlowPattern,
  slowKeywords,
  slowSchemas,
} from "../../../../src/ingest/schema/json-schema/slow-schemas.ts";

describe("the check for slow patterns", () => {
  it.each([
    "(a+)+$",
    "^(a*)*$",
    "^([a-z]+)*$",
    "^(?:[a-z0-9]+_?)+$",
    "^((ab)*)*$",
    "^(a+|b)*$",
    "^(\\w{1,20})+$",
    "^(\\s+x?){2,}$",
    "^(?<word>\\w+\\s?)*$",
  ])("warns about %s", (pattern) => {
    expect(isSlowPattern(pattern)).toBe(true);
  });

  it.each([
    "^[a-z]+$",
    "^[a-z]+(\\.[a-z]+)*$",
    "^([a-z0-9-]{1,63}\\.)+[a-z]{2,}$",
    "^(ab)+c*$",
    "^(a?b){1,3}$",
    "^\\(a+\\)+$",
    "^[(a+)+]*$",
    "^(\\d+){2}$",
    "^\\u0041+(\\x2c\\d+)*$",
    "",
    "(",
  ])("accepts %s", (pattern) => {
    expect(isSlowPattern(pattern)).toBe(false);
  });
});

describe("the check for slow keywords", () => {
  it.each([
    { uniqueItems: true },
    { uniqueItems: true, items: { type: "object" } },
    { uniqueItems: true, items: { type: ["string", "array"] } },
    { uniqueItems: true, items: { $ref: "#/$defs/item" }, maxItems: 1001 },
  ])("warns about uniqueItems in %j", (schema) => {
    expect(slowKeywords({ properties: { list: schema } })).toEqual([
      expect.stringMatching(/^has uniqueItems at #\/properties\/list: /),
    ]);
  });

  it.each([
    { uniqueItems: false },
    { uniqueItems: true, items: { type: "string" } },
    { uniqueItems: true, items: { type: ["integer", "null"] } },
    { uniqueItems: true, maxItems: 1000 },
    { properties: { uniqueItems: { type: "string" }, pattern: { type: "string" } } },
    { enum: [{ uniqueItems: true, pattern: "(a+)+" }], const: { uniqueItems: true } },
    true,
    null,
  ])("accepts %j", (schema) => {
    expect(slowKeywords(schema)).toEqual([]);
  });

  it("warns about patterns of values and of property names, at any depth", () => {
    expect(
      slowKeywords({
        $defs: { word: { pattern: "(a+)+" } },
        allOf: [{ patternProperties: { "^(b*)*$": true } }],
      }),
    ).toEqual([
      expect.stringMatching(/^has the pattern "\(a\+\)\+" at #\/\$defs\/word: /),
      expect.stringMatching(/^has the pattern "\^\(b\*\)\*\$" at #\/allOf\/0: /),
    ]);
  });
});

describe("the check of stations", () => {
  let dir: string;
  beforeAll(async () => {
    dir = await mkdtemp(path.join(tmpdir(), "slow-schemas-"));
  });
  afterAll(() => rm(dir, { recursive: true }));

  it("names the station and the file, and ignores unreadable files", async () => {
    const file = path.join(dir, "list.json");
    const broken = path.join(dir, "broken.json");
    await writeFile(file, '{"uniqueItems":true}');
    await writeFile(broken, "{");
    const schemaOf = (name: string) => ({ type: "json-schema" as const, file: name });

    expect(
      await slowSchemas([
        { name: "plain" },
        { name: "missing", schema: schemaOf(path.join(dir, "missing.json")) },
        { name: "broken", schema: schemaOf(broken) },
        { name: "orders", schema: schemaOf(file) },
      ]),
    ).toEqual([expect.stringContaining(`Station orders: the schema ${file} has uniqueItems at #: `)]);
  });
});

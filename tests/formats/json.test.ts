/** JSON bodies that are expensive to parse are refused before parsing. */
import { parseDocument, parseJson, isJson } from "../../src/formats/json.ts";
import { bodyField, bodyId } from "../../src/ingest/webhooks/webhook.ts";

const LIMIT = 4 << 20;
const list = (element: string, count: number): Buffer =>
  Buffer.from(`[${`${element},`.repeat(count - 1)}${element}]`);
const errorOf = (call: () => unknown): (Error & { readonly code?: string }) | undefined => {
  try {
    call();
    return undefined;
  } catch (error) {
    return error as Error;
  }
};
const codeOf = (call: () => unknown): string | undefined => {
  const error = errorOf(call);
  return error?.code ?? error?.name;
};

/** The code and the text of the refusal, without its number. */
const refusalOf = (call: () => unknown): string => {
  const error = errorOf(call);
  return `${error?.code}: ${error?.message.replace(/\d+/, "N")}`;
};

const parse = (body: Buffer): unknown => parseJson(body, { maxDepth: 100 });

describe("JSON with too many values", () => {
  const tooManyValues = "JSON_INVALID: JSON has more than N values. Send them in several requests.";
  const tooDeep = "JSON_TOO_DEEP: JSON is nested too deep";

  // The parser would complain of the byte after the values.
  it.each([
    ["empty objects", Buffer.concat([list("{}", LIMIT / 3), Buffer.from("!")]), tooManyValues],
    ["numbers", Buffer.concat([list("1", LIMIT / 2 - 1), Buffer.from("!")]), tooManyValues],
    ["brackets that never close", Buffer.alloc(LIMIT - 1, "["), tooDeep],
  ])("is refused before it is parsed: %s", (_, body, refusal) => {
    for (const read of [parse, parseDocument]) expect(refusalOf(() => read(body))).toBe(refusal);
  });

  it("counts values, but not the content of strings", () => {
    expect(codeOf(() => parse(list("1", 499_999)))).toBeUndefined();
    const members = (count: number): Buffer =>
      Buffer.from(`{${Array.from({ length: count }, (_, n) => `"k${n}":1`).join(",")}}`);
    expect(codeOf(() => parse(members(100_001)))).toBe("JSON_INVALID");
    expect(codeOf(() => parse(members(100_000)))).toBeUndefined();
    const limits = { maxDepth: 8, maxValues: 4, maxMembers: 2 };
    expect(codeOf(() => parseJson(members(3), limits))).toBe("JSON_INVALID");
    expect(codeOf(() => parseJson(members(2), limits))).toBeUndefined();
    expect(codeOf(() => parseJson(Buffer.from("[1,1,1,1]"), limits))).toBe("JSON_INVALID");
    expect(codeOf(() => parse(list("1", 500_000)))).toBe("JSON_INVALID");
    expect(codeOf(() => parseDocument(list("1", 99_999)))).toBeUndefined();
    expect(codeOf(() => parseDocument(list("1", 100_000)))).toBe("JSON_INVALID");
    expect(parseDocument(Buffer.from(JSON.stringify("[,".repeat(LIMIT / 4))))).toHaveLength(LIMIT / 2);
  });

  it("is not refused by a check that builds no objects", () => {
    const body = list("{}", LIMIT / 3);
    expect(isJson(body)).toBe(true);
    expect(isJson(body.subarray(0, -1))).toBe(false);
  });
});

describe("a document", () => {
  it("must be JSON in UTF-8", () => {
    expect(parseDocument(Buffer.from('{"a":[1,"ö"]}'))).toEqual({ a: [1, "ö"] });
    expect(codeOf(() => parseDocument(Buffer.from([0x22, 0xff, 0x22])))).toBe("SyntaxError");
    expect(codeOf(() => parseDocument(Buffer.from("{")))).toBe("SyntaxError");
  });
});

describe("a field of a webhook's body", () => {
  const request = (text: string) => ({ body: Buffer.from(text) }) as Parameters<typeof bodyField>[0];

  it.each([
    ['{"id":"a"}', "a"],
    [' { "x":{"id":1}, "id" : 12.5 } ', "12.5"],
    ['{"id":"first","id":"l\\u0061st"}', "last"],
    ['{"id":""}', undefined],
    ['{"id":{"a":1}}', undefined],
    ['{"id":["a"]}', undefined],
    ['{"id":null}', undefined],
    ['{"i":1}', undefined],
    ['{"id":"a"', undefined],
    ["", undefined],
    [`{"id":"${"x".repeat(100_000)}"}`, undefined],
  ])("is found: %#", (text, id) => {
    expect(bodyId(request(text), "id")).toBe(id);
  });

  it("can be nested, under any name", () => {
    expect(bodyField(request('{"a/b":{"~c":[{"d":true}]}}'), "a/b", "~c", "0", "d")).toBe(true);
  });

  it("is found in a body with more values than are ever parsed", () => {
    const body = request(`{"list":${list("{}", LIMIT / 3 - 20).toString()},"id":"a"}`);
    expect(bodyId(body, "id")).toBe("a");
  });
});

import fc from "fast-check";
import { createJsonCutter, createLineCutter, type Cutter } from "../../../src/ingest/stream/cutters.ts";

const limits = { maxBytes: 1000 };

const chunksOf = (bytes: Buffer, size: number): Buffer[] =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) => bytes.subarray(n * size, (n + 1) * size));

/** All texts of a stream, and the code of the fault that ended it. */
const cutAll = (
  cutter: Cutter,
  chunks: readonly Buffer[],
): { texts: string[]; fault: string | undefined } => {
  const texts: string[] = [];
  for (const chunk of chunks) {
    const cut = cutter.push(chunk);
    texts.push(...cut.texts.map(String));
    if (cut.fault !== undefined) return { texts, fault: cut.fault.code };
  }
  const last = cutter.end();
  texts.push(...last.texts.map(String));
  return { texts, fault: last.fault?.code };
};

const object = fc
  .dictionary(
    fc.string({ unit: "binary" }),
    fc.oneof(fc.string({ unit: "grapheme" }), fc.array(fc.integer())),
    {
      maxKeys: 4,
    },
  )
  .map((value) => JSON.stringify(value));

describe("concatenated JSON texts", () => {
  it.each(["", "\n", " ", "\r\n\t "])(
    "are separated with %j between them, at every chunk size",
    (separator) => {
      const texts = ['{"a":"}{\\"\\\\"}', "{}", '{"é☃😀":[{"b":{}}]}', '{"n":1.0}'];
      const bytes = Buffer.from(texts.join(separator));
      for (let size = 1; size <= bytes.length; size++) {
        expect(cutAll(createJsonCutter(limits), chunksOf(bytes, size))).toEqual({
          texts,
          fault: undefined,
        });
      }
    },
  );

  it("are separated at every chunk size, whatever they contain", () => {
    fc.assert(
      fc.property(fc.array(object), fc.integer({ min: 1, max: 50 }), (texts, size) => {
        const bytes = Buffer.from(texts.join("\n"));
        const wide = { maxBytes: 1_000_000 };
        expect(cutAll(createJsonCutter(wide), chunksOf(bytes, size))).toEqual({
          texts,
          fault: undefined,
        });
      }),
    );
  });

  it.each([
    ["a comma between", '{"a":1},{"b":2}', ['{"a":1}'], "JSON_INVALID"],
    ["a name without its first quote", '{"a":1}{ value": 1}{"b":2}', ['{"a":1}'], "JSON_INVALID"],
    ["brackets that don't match", '{"a":1}{"value":[}{"b":2}', ['{"a":1}'], "JSON_INVALID"],
    ["a bare word", "nope", [], "JSON_INVALID"],
    ["an end within an object", '{"a":1}{"b"', ['{"a":1}'], "JSON_INVALID"],
    ["an end within a string", '{"b":"', [], "JSON_INVALID"],
    ["too large an object", `{}{"a":"${"x".repeat(2000)}"}`, ["{}"], "RECORD_TOO_LARGE"],
  ])("stop at %s, after the complete texts", (_, text, texts, fault) => {
    for (const size of [1, 7, 5000]) {
      expect(cutAll(createJsonCutter(limits), chunksOf(Buffer.from(text), size))).toEqual({
        texts,
        fault,
      });
    }
  });

  it("can be any JSON values", () => {
    const texts = ["[1]", "null", "true", '"t"', "12.5", '{"a":1}', "-3e5"];
    const bytes = Buffer.from('[1]null true"t" 12.5{"a":1}-3e5');
    for (let size = 1; size <= bytes.length; size++) {
      expect(cutAll(createJsonCutter(limits), chunksOf(bytes, size))).toEqual({ texts, fault: undefined });
    }
  });

  it("report broken JSON at the byte that breaks it", () => {
    expect(createJsonCutter(limits).push(Buffer.from("{ v")).fault?.code).toBe("JSON_INVALID");
  });

  it("stop above the maximum number of texts of one chunk", () => {
    const cut = createJsonCutter({ ...limits, maxTexts: 2 }).push(Buffer.from("{}{}{}!"));
    expect([cut.texts.length, cut.fault?.code]).toEqual([2, "EVENTS_TOO_MANY"]);
  });
});

describe("lines", () => {
  it("are separated at every chunk size, without blank lines, also if the last line has no newline", () => {
    const bytes = Buffer.from('{"a":1}\n\n{"é":"☃"}\r\n   \n{"last":true}');
    for (let size = 1; size <= bytes.length; size++) {
      expect(cutAll(createLineCutter(limits), chunksOf(bytes, size))).toEqual({
        texts: ['{"a":1}', '{"é":"☃"}', '{"last":true}'],
        fault: undefined,
      });
    }
  });

  it("stop at a line that is too long", () => {
    const bytes = Buffer.from(`short\n${"x".repeat(1001)}`);
    for (const size of [1, 100, 5000]) {
      expect(cutAll(createLineCutter(limits), chunksOf(bytes, size))).toEqual({
        texts: ["short"],
        fault: "RECORD_TOO_LARGE",
      });
    }
  });
});

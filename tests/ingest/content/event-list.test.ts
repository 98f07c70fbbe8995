import fc from "fast-check";
import type { GatewayError } from "../../../src/errors.ts";
import { eventListOf } from "../../../src/ingest/content/event-list.ts";

const limits = { maxDepth: 128, maxEvents: 1000 };
const slices = (body: Buffer): Buffer[] => {
  const list = eventListOf(body, limits);
  return Array.from({ length: list.count }, (_, i) => list.at(i));
};
const split = (text: string): string[] => slices(Buffer.from(text)).map(String);
const codeOf = (body: Buffer | string): string => {
  try {
    slices(Buffer.from(body as string));
  } catch (error) {
    return (error as GatewayError).code;
  }
  return "none";
};

describe("eventListOf", () => {
  it.each([
    ["[]", []],
    [" [ ] ", []],
    ['[{"a":1}]', ['{"a":1}']],
    ['\n[ {"a" : 1}\t,\r\n{} ]\n', ['{"a" : 1}', "{}"]],
    ['[{"n":12345678901234567890.10},{"n":1e400}]', ['{"n":12345678901234567890.10}', '{"n":1e400}']],
    ['[{"a":1,"a":2}]', ['{"a":1,"a":2}']],
    [
      '[{"\\u0061":"\\"]},{[\\\\"},{"b":[[{"c":"}"}],[]]}]',
      ['{"\\u0061":"\\"]},{[\\\\"}', '{"b":[[{"c":"}"}],[]]}'],
    ],
    ['[{"é":"\u{1f600}"},{"__proto__":{}}]', ['{"é":"\u{1f600}"}', '{"__proto__":{}}']],
  ])("splits %s", (body, elements) => {
    expect(split(body)).toEqual(elements);
  });

  it.each([
    "",
    " ",
    "null",
    "{}",
    '"x"',
    "1",
    "[null]",
    "[1]",
    '["x"]',
    "[[]]",
    '[{"a":1},null]',
    "[{}",
    "[{},]",
  ])("refuses %j", (body) => {
    expect(codeOf(body)).toBe("REQUEST_UNSUPPORTED");
  });

  it("refuses bytes that are not UTF-8, and a byte order mark", () => {
    expect(codeOf(Buffer.from([0x5b, 0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d, 0x5d]))).toBe(
      "REQUEST_UNSUPPORTED",
    );
    expect(codeOf(Buffer.from("\uFEFF[{}]"))).toBe("REQUEST_UNSUPPORTED");
    expect(codeOf(Buffer.from("[{}]", "utf16le"))).toBe("REQUEST_UNSUPPORTED");
  });

  it("refuses events that are nested too deep, without recursion", () => {
    const nested = (levels: number): string => `[{"a":${"[".repeat(levels)}${"]".repeat(levels)}}]`;
    expect(split(nested(126))).toHaveLength(1);
    expect(codeOf(nested(127))).toBe("JSON_TOO_DEEP");
    expect(codeOf(`[{"a":${"[".repeat(4_000_000)}`)).toBe("JSON_TOO_DEEP");
    expect(codeOf("[".repeat(4_000_000))).toBe("REQUEST_UNSUPPORTED");
  });

  it("refuses too many events without reading the rest", () => {
    expect(split(`[${"{},".repeat(999)}{}]`)).toHaveLength(1000);
    expect(codeOf(`[${"{},".repeat(1000)}{!`)).toBe("EVENTS_TOO_MANY");
  });

  it("returns slices of the body, not copies", () => {
    const body = Buffer.from('[{"a":1},{"b":2}]');
    expect(slices(body).map((slice) => slice.buffer === body.buffer)).toEqual([true, true]);
  });

  it("keeps the bytes of each element, whatever JSON it is", () => {
    const padding = fc.array(fc.constantFrom(" ", "\n", "\t", "\r"), { maxLength: 3 }).map((s) => s.join(""));
    const element = fc
      .tuple(fc.dictionary(fc.string({ unit: "binary" }), fc.jsonValue()), fc.constantFrom(0, 1))
      .map(([value, indent]) => JSON.stringify(value, null, indent));
    fc.assert(
      fc.property(fc.array(fc.tuple(padding, element, padding)), (elements) => {
        const body = `[${elements.map((parts) => parts.join("")).join(",")}]`;
        expect(split(body)).toEqual(elements.map(([, text]) => text));
      }),
    );
  });
});

/** The contents of JSON strings, written from bytes. */
import { ESCAPE_BYTES, writeEscaped } from "../../src/lib/json-string.ts";

const escaped = (text: string): string => {
  const bytes = Buffer.from(text);
  const target = Buffer.alloc(1 + ESCAPE_BYTES * bytes.length);
  return target.toString("utf8", 1, writeEscaped(bytes, target, 1));
};

describe("the contents of a JSON string", () => {
  const all = Array.from({ length: 0x180 }, (_, code) => String.fromCharCode(code)).join("");

  it.each(["", "plain", '{"a":"b\\n"}', all, "\u2028\u2029\u{1f600}\ufeff"])(
    "are those of JSON.stringify: %j",
    (text) => {
      expect(escaped(text)).toBe(JSON.stringify(text).slice(1, -1));
    },
  );
});

import { convertJson } from "../../../src/delivery/connectors/conversions.ts";

const converted = (text: string, withSchemas: boolean): string | null => {
  const result = convertJson(Buffer.from(text), { withSchemas, keepsStrings: false });
  if ("reason" in result) return `fault: ${result.reason}`;
  return result.value === null ? null : String(result.value);
};

describe("JsonConverter without schemas", () => {
  it.each([
    ['{"b":1, "a":12345678901234567890}', '{"b":1, "a":12345678901234567890}'],
    ["[1, 2]", "[1, 2]"],
    ["1.50", "1.50"],
    ["true", "true"],
    ['"txt"', "txt"],
    ['"a\\n\\u00e4"', "a\nä"],
    ["null", null],
    ["{", "fault: the value is not JSON"],
    ["", "fault: the value is not JSON"],
    ['{"a":1}{"a":2}', "fault: the value is not JSON"],
  ])("%s is sent as %s", (text, expected) => {
    expect(converted(text, false)).toBe(expected);
  });
});

describe("JsonConverter with schemas", () => {
  it.each([
    ['{"schema":null,"payload":{"b":1, "a":2.0}}', '{"b":1, "a":2.0}'],
    ['{"payload":"txt","schema":{"type":"string"}}', "txt"],
    ['{"schema":null,"payload":null}', null],
    ["null", null],
  ])("%s is sent as %s", (text, expected) => {
    expect(converted(text, true)).toBe(expected);
  });

  it.each(['{"a":1}', '{"schema":null}', '{"schema":null,"payload":1,"more":2}', "[1,2]", "1"])(
    "%s doesn't convert",
    (text) => {
      expect(converted(text, true)).toMatch(/^fault: the value is not JSON of the form/);
    },
  );
});

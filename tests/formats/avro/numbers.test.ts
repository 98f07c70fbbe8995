import { avro, hexOf, read, recordOf, refusalOf } from "./compile.ts";

const long = avro("long");
const decimal = (precision: number, scale: number) =>
  avro({ type: "bytes", logicalType: "decimal", precision, scale });

describe("numbers of an event", () => {
  it.each([
    ["4503599627370496", "8080808080808010"],
    ["-4503599627370497", "8180808080808010"],
    ["9007199254740991", "feffffffffffff1f"],
    ["9007199254740993", "8280808080808020"],
    ["9223372036854775807", "feffffffffffffffff01"],
    ["-9223372036854775808", "ffffffffffffffffff01"],
    ["123456789012345e4", hexOf(long, "1234567890123450000")],
    ["1e18", hexOf(long, "1000000000000000000")],
    ["1e3", "d00f"],
    ["1.0", "02"],
    ["10000000000000000e-16", "02"],
    ["1.00000000000000000000", "02"],
    ["-0", "00"],
    ["0e-400", "00"],
    ["0.0e99999999999999999999", "00"],
  ])("writes the long %s exactly", (json, hex) => {
    expect(hexOf(long, json)).toBe(hex);
  });

  it.each([
    ["1.0000000000000001", "with a fraction"],
    ["999999999999999.000000000000001", "with a fraction"],
    ["9007199254740993.5", "with a fraction"],
    ["1e-400", "with a fraction"],
    ["1E-400", "with a fraction"],
    ["1700000000000001e-1", "with a fraction"],
    ["9223372036854775808", "out of range"],
    ["-9223372036854775809", "out of range"],
    ["1e400", "out of range"],
    ["1e99999999999999999999", "out of range"],
  ])("refuses the long %s", (json, reason) => {
    expect(refusalOf(long, json)).toBe(`avro: '': expected long, but got a number ${reason}`);
  });

  it.each(["2147483648", "-2147483649", "0.5", '"1"', "true", "null", "[]", "{}", "1e-400"])(
    "refuses the int %s",
    (json) => {
      expect(refusalOf(avro("int"), json)).toMatch(/^avro: '': expected int, but got /);
    },
  );

  it.each([
    ["float", "3.5e38"],
    ["float", "-1e300"],
    ["double", "1e400"],
    ["double", '"nan"'],
    ["float", '"1"'],
    ["double", "12345678901234567890e400"],
  ])("refuses the %s %s", (type, json) => {
    expect(refusalOf(avro(recordOf(type)), `{"a":${json}}`)).toMatch(
      new RegExp(`^avro: '/a': expected ${type}, but got `),
    );
  });

  it.each([
    "0.1",
    "-0",
    "5e-324",
    "1.7976931348623157e+308",
    "123456789012345680000",
    '"NaN"',
    '"-Infinity"',
  ])("writes and reads the double %s", (json) => {
    expect(read(avro("double"), hexOf(avro("double"), json))).toBe(json);
  });

  it.each(["0.1", "16777216", "3.4028235e+38", "1.4013e-45", '"Infinity"'])("reads the float %s", (json) => {
    expect(read(avro("float"), hexOf(avro("float"), json))).toBe(json);
  });

  it("takes an exponent for what it is, and not an identifier that looks like one", () => {
    const schema = avro(recordOf("string"));
    expect(read(schema, hexOf(schema, '{"a":"1e-400 \\"\\\\ 12345678901234567890"}'))).toBe(
      '{"a":"1e-400 \\"\\\\ 12345678901234567890"}',
    );
  });

  it("keeps names and strings of a text with many digits", () => {
    const map = avro({
      type: "map",
      values: ["long", "string", "null", { type: "array", items: "boolean" }],
    });
    const json = `{ "a" : 12345678901234567 , "__proto__" : "x\\u00e4\\n" , "n": null, "e": [], "b": [true , false], "a": 12345678901234568 }`;
    expect(read(map, hexOf(map, json))).toBe(
      '{"a":12345678901234568,"__proto__":"xä\\n","n":null,"e":[],"b":[true,false]}',
    );
  });
});

describe("decimals", () => {
  it.each([
    ["4.10", "04019a", "4.10"],
    ["1e2", "042710", "100.00"],
    ["-1.28", "0280", "-1.28"],
    ["1.28", "040080", "1.28"],
    ["0", "0200", "0.00"],
    ["-0.01", "02ff", "-0.01"],
    ["4.100000000000000000000", "04019a", "4.10"],
  ])("take %s exactly", (json, hex, text) => {
    expect(hexOf(decimal(6, 2), json)).toBe(hex);
    expect(read(decimal(6, 2), hex)).toBe(text);
  });

  it("may have more digits than a double", () => {
    const text = "-1234567890123456789012345678.0123456789";
    expect(read(decimal(38, 10), hexOf(decimal(38, 10), text))).toBe(text);
  });

  it.each([
    ["4.825", "the decimal has more than 2 digits after the decimal point"],
    ["12345", "the decimal has more than 6 digits"],
    ["1e99999999999", "the decimal is out of range"],
    ["1000000000000000000000e-1", "the decimal has more than 6 digits"],
    ["1e-99999999999", "the decimal has more than 2 digits after the decimal point"],
    ["1e400", "the decimal is out of range"],
    ["true", "expected bytes, but got boolean"],
  ])("refuse %s", (json, reason) => {
    expect(refusalOf(decimal(6, 2), json)).toContain(reason);
  });

  it("fill a fixed with the sign", () => {
    const schema = avro({
      type: "fixed",
      name: "F",
      size: 4,
      logicalType: "decimal",
      precision: 9,
      scale: 2,
    });
    expect(hexOf(schema, "-4.8")).toBe("fffffe20");
    expect(read(schema, "fffffe20")).toBe("-4.80");
    expect(read(schema, "fffffe20", "avro-json")).toBe(JSON.stringify("\u00ff\u00ff\u00fe "));
  });

  it("are bytes if precision and scale are not valid", () => {
    for (const attributes of [{}, { precision: 0 }, { precision: 2, scale: 3 }, { precision: 1.5 }]) {
      const schema = avro({ type: "bytes", logicalType: "decimal", ...attributes });
      expect(refusalOf(schema, "1")).toBe("avro: '': expected bytes, but got number");
      expect(read(schema, "0261")).toBe('"a"');
    }
  });

  it("of no bytes are 0, and too long ones are not read", () => {
    expect(read(decimal(6, 2), "00")).toBe("0.00");
    expect(() => read(decimal(6, 2), `8204${"01".repeat(257)}`)).toThrow("a decimal of 257 bytes");
  });
});

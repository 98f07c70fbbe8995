import { GatewayError } from "../../../src/errors.ts";
import { contentTypeOf, fromBase64 } from "../../../src/ingest/content/content-type.ts";

describe("contentTypeOf", () => {
  it.each([
    ["text/plain", "text"],
    ["TEXT/HTML; charset=iso-8859-1", "text"],
    ["application/x-context", "text"],
    ["application/json", "json"],
    ["Application/JSON ; charset=utf-8", "json"],
    ["application/x-protobuf", "protobuf"],
    ["APPLICATION/PROTOBUF;messageType=x", "protobuf"],
  ])("%s is %s", (header, name) => {
    expect(contentTypeOf(header).name).toBe(name);
  });

  it.each([
    undefined,
    "",
    "application/xml",
    "application/xml; note=text",
    "application/jsonx",
    "application/octet-stream",
  ])("refuses %s", (header) => {
    expect(() => contentTypeOf(header)).toThrow(new GatewayError("CONTENT_TYPE_UNSUPPORTED"));
  });
});

describe("check", () => {
  const limits = { maxDepth: 4 };
  const check = (header: string, body: Buffer): string => {
    try {
      contentTypeOf(header).check(body, limits);
    } catch (error) {
      return (error as GatewayError).code;
    }
    return "taken";
  };

  it.each(["{}", "[1]", " null ", '"\u{1f600}"', "12345678901234567890"])(
    "accepts the JSON text %s",
    (body) => {
      expect(check("application/json", Buffer.from(body))).toBe("taken");
    },
  );

  it.each(["", "{", "{'a':1}", "01", "NaN", "\uFEFF{}", '{"a":1} x'])("refuses %j as JSON", (body) => {
    expect(check("application/json", Buffer.from(body))).toBe("JSON_INVALID");
  });

  it("refuses JSON that is not UTF-8", () => {
    expect(check("application/json", Buffer.from([0x22, 0xc3, 0x22]))).toBe("JSON_INVALID");
  });

  it("refuses JSON that is nested too deep, and ignores brackets in strings", () => {
    expect(check("application/json", Buffer.from("[[[[1]]]]"))).toBe("taken");
    expect(check("application/json", Buffer.from('{"a":"[[[[[[\\"[["}'))).toBe("taken");
    expect(check("application/json", Buffer.from('[[{"a":[[1]]}]]'))).toBe("JSON_TOO_DEEP");
  });

  it("accepts any bytes as text or protobuf", () => {
    const bytes = Buffer.from([0xff, 0x00]);
    expect([check("text/plain", bytes), check("application/protobuf", bytes)]).toEqual(["taken", "taken"]);
  });
});

describe("fromBase64", () => {
  it.each(["", "aGk=", "aGk", "aGVsbG8h", "/+8=", "AA=="])("reads %j", (text) => {
    expect(fromBase64(text)).toEqual(Buffer.from(text, "base64"));
  });

  it.each(["a", "aGk==", "a===", "aG k", "aGk=aGk=", "_-8=", "aGVsb=", "é"])("refuses %j", (text) => {
    expect(fromBase64(text)).toBeUndefined();
  });
});

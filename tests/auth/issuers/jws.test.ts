import fc from "fast-check";
import { parseJws } from "../../../src/auth/issuers/jws.ts";
import { b64, compact } from "./support.ts";

const SIGNATURE = Buffer.from([1, 2, 3, 4]);
const of = (header: Buffer | string, payload: Buffer | string = "{}"): string =>
  compact(header, payload, SIGNATURE);
const GOOD = of('{"alg":"RS256"}', '{"iss":"x"}');
const [HEADER = "", PAYLOAD = "", SIGNED = ""] = GOOD.split(".");

describe("the compact form of a token", () => {
  it("has a header, a payload, the signed bytes and the signature", () => {
    expect(parseJws(GOOD)).toEqual({
      length: GOOD.length,
      header: { alg: "RS256" },
      payload: { iss: "x" },
      payloadText: '{"iss":"x"}',
      signed: Buffer.from(`${HEADER}.${PAYLOAD}`),
      signature: SIGNATURE,
    });
  });

  it("may have an empty signature, an empty object and members of nested objects with one name", () => {
    expect(parseJws(`${HEADER}.${PAYLOAD}.`)?.signature).toHaveLength(0);
    expect(parseJws(of("{}"))).toMatchObject({ header: {}, payload: {} });
    expect(
      parseJws(of("{}", '{"a":{"x":1},"b":[{"x":1},{"x":2,"y":[1,2]}],"x":"a,b\\",{"}'))?.payload,
    ).toEqual({
      a: { x: 1 },
      b: [{ x: 1 }, { x: 2, y: [1, 2] }],
      x: 'a,b",{',
    });
  });

  it.each([
    ["an empty text", ""],
    ["two parts", `${HEADER}.${PAYLOAD}`],
    ["four parts", `${GOOD}.${SIGNED}`],
    ["five parts", `${GOOD}.${SIGNED}.${SIGNED}`],
    ["an empty header", `.${PAYLOAD}.${SIGNED}`],
    ["an empty payload", `${HEADER}..${SIGNED}`],
    ["a padded header", `${b64('{"alg":"a"}')}=.${PAYLOAD}.${SIGNED}`],
    ["a padded signature", `${HEADER}.${PAYLOAD}.${SIGNED}==`],
    ["the alphabet of base64", `${HEADER}.${Buffer.from('{"a":"???"}').toString("base64")}.${SIGNED}`],
    ["a space", ` ${GOOD}`],
    ["a line feed at the end", `${GOOD}\n`],
    ["a line feed in a part", GOOD.replace(".", "\n.")],
    ["a character outside ASCII", `${HEADER}.${PAYLOAD}.é`],
    ["a header with one character too many", `${b64('{"a":1} ')}A.${PAYLOAD}.${SIGNED}`],
    ["unused bits that are not 0", `${HEADER}.${PAYLOAD}.${SIGNED.slice(0, -1)}B`],
    ["a header that is no JSON", of("{alg}")],
    ["a payload that is no JSON", of("{}", "{iss}")],
    ["a header that is a list", of("[]")],
    ["a header that is null", of("null")],
    ["a payload that is a text", of("{}", '"x"')],
    ["a payload with text after it", of("{}", "{}{}")],
    ["a byte order mark", of("\ufeff{}")],
    ["bytes that are not UTF-8", of(Buffer.from([...Buffer.from('{"a":"'), 0xff, ...Buffer.from('"}')]))],
    [
      "half of a surrogate pair in UTF-8",
      of(Buffer.from([...Buffer.from('{"a":"'), 0xed, 0xa0, 0x80, 0x22, 0x7d])),
    ],
    ["a member of the header twice", of('{"alg":"none","alg":"RS256"}')],
    ["a member of the payload twice", of("{}", '{"iss":"a","iss":"b"}')],
    ["a member twice with an escape", of("{}", '{"iss":"a","\\u0069ss":"b"}')],
    ["a member twice after nested ones", of("{}", '{"a":{"b":[1,2]},"c":"}","a":1}')],
  ])("is refused with %s", (_, token) => {
    expect(parseJws(token)).toBeUndefined();
  });

  it("refuses deep nesting without an overflow, or reads it", () => {
    expect(() => parseJws(of("{}", `{"a":${"[".repeat(8000)}${"]".repeat(8000)}}`))).not.toThrow();
  });

  it("has one text for each bytes", () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue()), fc.uint8Array(), (claims, bytes) => {
        const payload = JSON.stringify(claims);
        const token = compact("{}", payload, Buffer.from(bytes));
        const read = parseJws(token);
        expect(read?.payload).toEqual(JSON.parse(payload));
        expect(read?.signature).toEqual(Buffer.from(bytes));
      }),
    );
  });

  it("never throws", () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), fc.string(), (one, two, three) => {
        parseJws(`${one}.${two}.${three}`);
        parseJws(of(one, two));
      }),
    );
  });
});

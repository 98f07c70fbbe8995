import { deriveLike, hashSecret, parseScryptHash } from "../../../src/auth/secrets.ts";
import { present } from "../support.ts";

/** RFC 7914, section 12. */
const RFC_VECTOR = {
  plain: "pleaseletmein",
  hash: "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2d5432955613f0fcf62d49705242a9af9e61e85dc0d651e40dfcf017b45575887",
};
const unpadded = (bytes: Buffer): string => bytes.toString("base64").replaceAll("=", "");
const rfcString = `$scrypt$ln=14,r=8,p=1$${unpadded(Buffer.from("SodiumChloride"))}$${unpadded(Buffer.from(RFC_VECTOR.hash, "hex"))}`;

describe("scrypt strings", () => {
  it("parses and derives the test vector of RFC 7914", async () => {
    const parsed = parseScryptHash(rfcString);
    expect(parsed?.cost).toEqual({ ln: 14, r: 8, p: 1 });
    expect(parsed?.salt.toString()).toBe("SodiumChloride");
    expect((await deriveLike(RFC_VECTOR.plain, present(parsed))).toString("hex")).toBe(RFC_VECTOR.hash);
  });

  it("creates strings that it can parse, each with a new salt", async () => {
    const [one, two] = await Promise.all([hashSecret("pässword"), hashSecret("pässword")]);
    expect(one).toMatch(/^\$scrypt\$ln=15,r=8,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    expect(one).not.toBe(two);
    const parsed = present(parseScryptHash(one));
    expect(await deriveLike("pässword", parsed)).toEqual(parsed.hash);
    expect(await deriveLike("password", parsed)).not.toEqual(parsed.hash);
  });

  it.each([
    ["another scheme", rfcString.replace("scrypt", "argon2id")],
    ["no parameters", rfcString.replace("ln=14,r=8,p=1$", "")],
    ["parameters in another order", rfcString.replace("ln=14,r=8", "r=8,ln=14")],
    ["a cost of 0", rfcString.replace("ln=14", "ln=0")],
    ["blocks of size 0", rfcString.replace("r=8", "r=0")],
    ["a cost of 1 GiB", rfcString.replace("ln=14", "ln=20")],
    ["p above the maximum", rfcString.replace("p=1", "p=17")],
    ["ln=99", rfcString.replace("ln=14", "ln=99")],
    ["padding", `${rfcString}==`],
    ["an empty hash", rfcString.slice(0, rfcString.lastIndexOf("$") + 1)],
    ["a line break at the end", `${rfcString}\n`],
  ])("refuses %s", (_what, text) => {
    expect(parseScryptHash(text)).toBeUndefined();
  });
});

import { createSealer } from "../../../src/auth/operators/sealer.ts";

const VALUE = ["a name", 12, null, { nested: "ü" }];

describe("a sealed text", () => {
  it("opens with the same secret and purpose, and shows nothing of the value", () => {
    const text = createSealer(["secret"], "session").seal(VALUE);
    expect(text).toMatch(/^[\w-]+$/);
    expect(Buffer.from(text, "base64url").toString("latin1")).not.toContain("name");
    expect(createSealer(["secret"], "session").open(text)).toEqual(VALUE);
  });

  it("does not open with another secret, or for another purpose", () => {
    const text = createSealer(["secret"], "session").seal(VALUE);
    expect(createSealer(["other"], "session").open(text)).toBeUndefined();
    expect(createSealer(["secret"], "sign-in").open(text)).toBeUndefined();
  });

  it("opens with a later secret of the list, but is made with the first one", () => {
    const text = createSealer(["new", "old"], "session").seal(VALUE);
    expect(createSealer(["old"], "session").open(text)).toBeUndefined();
    expect(createSealer(["newest", "new"], "session").open(text)).toEqual(VALUE);
  });

  it("differs each time", () => {
    const { seal } = createSealer(["secret"], "session");
    expect(new Set(Array.from({ length: 100 }, () => seal(VALUE))).size).toBe(100);
  });

  it("does not open after a change of any character, or with another spelling", () => {
    const { seal, open } = createSealer(["secret"], "session");
    const text = seal("x");
    const changed = Array.from(text, (character, i) => {
      const other = character === "A" ? "B" : "A";
      return `${text.slice(0, i)}${other}${text.slice(i + 1)}`;
    });
    for (const other of [
      ...changed,
      `${text}=`,
      ` ${text}`,
      text.slice(1),
      text.slice(0, -1),
      "",
      "x",
      `${text}AAAA`,
    ])
      expect(open(other)).toBeUndefined();
  });
});

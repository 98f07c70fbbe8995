import { idHeaderOf, isFramed, readFrame, readFramed } from "../../src/registry/framing.ts";

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(" ", ""), "hex");
const header = (name: string, bytes: string | null) => ({ name, value: bytes === null ? null : hex(bytes) });
const GUID = "89791762 2336 4186 9674 299b90a802e2";

describe("readFrame", () => {
  it("reads byte 0, the id and the payload", () => {
    expect(readFrame(hex("00 00000007 0a"))).toEqual({ id: 7, payload: hex("0a") });
    expect(readFrame(hex("00 7fffffff"))).toEqual({ id: 2 ** 31 - 1, payload: hex("") });
  });

  it.each([
    ["", "no bytes"],
    ["00", "only byte 0"],
    ["00 000000", "four bytes"],
    ["01 00000007 0a", "another first byte"],
    ["00 00000000 0a", "id 0"],
    ["00 80000000 0a", "id 2^31"],
    ["00 ffffffff 0a", "id 2^32-1"],
  ])("refuses %s: %s", (bytes) => {
    expect(readFrame(hex(bytes))).toBeUndefined();
  });

  it("recognises bytes that claim to have a frame", () => {
    expect(["00", "00 01", "7b", ""].map((bytes) => isFramed(hex(bytes)))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});

describe("readFramed", () => {
  it("reads the frame if the record has no header with an id", () => {
    const others = [header("__key_schema_id", "00 00000009"), header("__value_schema_id", null)];
    expect(readFramed("value", hex("00 00000007 0a"), others)).toEqual({ id: 7, payload: hex("0a") });
  });

  it("reads the id of the header, and the whole value is the payload", () => {
    const headers = [header("__value_schema_id", "00 00000009")];
    const value = hex("00 00000007");
    expect(readFramed("value", value, headers)).toEqual({ id: 9, payload: value });
    expect(readFramed("value", value, headers)?.payload).toBe(value);
  });

  it("reads the last of several headers", () => {
    const headers = [header("__key_schema_id", "00 00000009"), header("__key_schema_id", "00 0000000a")];
    expect(readFramed("key", hex("02"), headers)?.id).toBe(10);
    expect(idHeaderOf("key", headers)).toEqual(hex("00 0000000a"));
  });

  it("reads a GUID", () => {
    const headers = [header("__value_schema_id", `01 ${GUID}`)];
    expect(readFramed("value", hex("02"), headers)).toEqual({
      id: "89791762-2336-4186-9674-299b90a802e2",
      payload: hex("02"),
    });
  });

  it("puts the index path of the header before the payload", () => {
    const number = [header("__value_schema_id", "00 00000009 02 04")];
    expect(readFramed("value", hex("0801"), number)?.payload).toEqual(hex("02 04 0801"));
    const guid = [header("__value_schema_id", `01 ${GUID} 00`)];
    expect(readFramed("value", hex("0801"), guid)?.payload).toEqual(hex("00 0801"));
  });

  it.each(["", "00", "00 00000000", "01", `01 ${GUID.slice(2)}`, "02 00000001"])(
    "refuses the header %s, whatever the value is",
    (bytes) => {
      const headers = [header("__value_schema_id", bytes)];
      expect(readFramed("value", hex("00 00000007 0a"), headers)).toBeUndefined();
    },
  );
});

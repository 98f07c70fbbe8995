import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import protobuf from "protobufjs";
import { loadProtobuf } from "../../../src/ingest/schema/protobuf.ts";
import type { FileValidator } from "../../../src/ingest/schema/validator.ts";

const REFUSED = "Schema validation has failed: invalid message format, expecting protobuf";
const context = { station: "trades", limits: { maxDepth: 128 } };
const file = path.join(import.meta.dirname, "../../../proto/trade.proto");
const type = new protobuf.Root().loadSync(file).lookupType("desk.Trade");
const trades = loadProtobuf({ type: "protobuf", file, message: "desk.Trade" }, context);

const dir = mkdtempSync(path.join(tmpdir(), "protobuf-"));
afterAll(() => {
  rmSync(dir, { recursive: true });
});
const load = (source: string, message: string): FileValidator => {
  const own = path.join(dir, "own.proto");
  writeFileSync(own, source);
  return loadProtobuf({ type: "protobuf", file: own, message }, context);
};

const judge = (validator: FileValidator, event: Buffer | string, contentType?: string): string => {
  const judged = validator.validate(Buffer.from(event as string), contentType);
  return judged.status === "refused" ? judged.error.message : "accepted";
};
/** The decoded record of a JSON event. */
const stored = (json: string): Record<string, unknown> => {
  const judged = trades.validate(Buffer.from(json), "application/json; charset=utf-8");
  if (judged.status === "refused") throw judged.error;
  expect(judged.contentType).toBe("application/x-protobuf");
  return type.toObject(type.decode(judged.value), { longs: String, enums: String });
};
const hex = (bytes: string): Buffer => Buffer.from(bytes.replaceAll(" ", ""), "hex");

describe("a binary event", () => {
  it("is stored unchanged", () => {
    const event = Buffer.from(type.encode({ tradeId: "t", notional: 5, legs: [{ symbol: "x" }] }).finish());
    const judged = trades.validate(event, "application/protobuf");
    expect(judged).toEqual({ status: "accepted", value: event, contentType: "application/x-protobuf" });
    expect((judged as { value: Buffer }).value).toBe(event);
  });

  it("can have fields that the message does not define", () => {
    expect(judge(trades, hex("0a0174 a20603616263"))).toBe("accepted");
  });

  it.each([
    ["is cut off", "0a0574"],
    ["is cut off inside a nested message", "3a0a0a01"],
    ["is text", Buffer.from("hello, world").toString("hex")],
    ["has a varint where a string belongs", "0801"],
    ["has a string where a varint belongs", "1a0174"],
    ["has a wrong wire type in a nested message", "3a020801"],
    ["has a wrong wire type for a message", "3001"],
    ["has field number 0", "0201"],
    ["has an unknown wire type", "0f"],
    ["has a varint without end", "20ffffffffffffffffffffff"],
    ["has a string that is not UTF-8", "0a02c328"],
  ])("is refused when it %s", (_, bytes) => {
    expect(judge(trades, hex(bytes), "application/x-protobuf")).toBe(REFUSED);
  });

  it("is refused without a required field, and accepted with an unknown number of a closed enum", () => {
    const source =
      'syntax = "proto2"; message M { required string a = 1; optional E e = 2; enum E { ONE = 1; } }';
    const validator = load(source, "M");
    expect(judge(validator, hex("1001"))).toBe(REFUSED);
    expect(judge(validator, hex("0a0161 1005"))).toBe("accepted");
    expect(judge(validator, hex("0a0161 120105"))).toBe(REFUSED);
    expect(judge(validator, "{}", "application/json")).toBe(REFUSED);
  });

  it("is checked as binary for every other content type", () => {
    expect(judge(trades, '{"tradeId":"t"}', "text/plain")).toBe(REFUSED);
    expect(judge(trades, hex("0a0174"), "text/plain")).toBe("accepted");
  });
});

describe("a JSON event", () => {
  it("is encoded, with either name of a field", () => {
    const json = {
      trade_id: "t-1",
      side: "BUY",
      price: "1.5",
      executedAt: "2026-01-02T03:04:05.5Z",
      legs: [{ symbol: "x", quantity: -2 }],
      tags: { a: "b" },
      desk: 7,
    };
    expect(stored(JSON.stringify(json))).toEqual({
      tradeId: "t-1",
      side: "BUY",
      price: 1.5,
      executedAt: { seconds: "1767323045", nanos: 500_000_000 },
      legs: [{ symbol: "x", quantity: -2 }],
      tags: { a: "b" },
      desk: 7,
    });
  });

  it.each([
    "9007199254740993",
    "-9223372036854775808",
    "9223372036854775807",
    '"9223372036854775807"',
    "1.2e3",
  ])("keeps the 64-bit integer %s", (number) => {
    expect(stored(`{"tradeId":"\\"12345678901234567890","notional": ${number} }`)).toEqual({
      tradeId: '"12345678901234567890',
      notional: number === "1.2e3" ? "1200" : number.replaceAll('"', ""),
    });
  });

  it("can have an enum's number, and null for an absent field", () => {
    expect(stored('{"side":2,"symbol":null}')).toEqual({ side: "SELL" });
  });

  it("can be empty", () => {
    expect(stored("{}")).toEqual({});
  });

  it.each([
    '{"unknown":1}',
    '{"tradeId":1}',
    '{"side":"HOLD"}',
    '{"notional":"9223372036854775808"}',
    '{"notional":9223372036854775808}',
    '{"notional":1.5}',
    '{"legs":{}}',
    '{"broker":"b","desk":1}',
    '{"tradeId":"a","trade_id":"b"}',
    '{"tradeId":"a","tradeId":"b"}',
    '{"executedAt":"yesterday"}',
    "[]",
    "null",
    '"t"',
  ])("is refused: %s", (json) => {
    expect(judge(trades, json, "application/json")).toBe(REFUSED);
  });

  it("is refused with the parser's reason if it is not JSON", () => {
    expect(judge(trades, "{", "application/json")).toMatch(
      /^Schema validation has failed: Bad JSON format - ./,
    );
  });
});

it("converts a stored event to JSON", () => {
  const event = Buffer.from(type.encode({ tradeId: "t", notional: 5, side: 1 }).finish());
  expect(JSON.parse(String(trades.asJson?.(event)))).toEqual({ tradeId: "t", notional: "5", side: "BUY" });
});

describe("a schema that can't be used stops the start", () => {
  it.each([
    ["message A {", "A"],
    ['syntax = "proto3"; message A { B b = 1; }', "A"],
    ['syntax = "proto3"; message A {}', "desk.A"],
    ['import "missing.proto"; message A {}', "A"],
  ])("%s", (source, message) => {
    expect(() => load(source, message)).toThrow(/^Station trades: the schema .*own\.proto can't be used: ./);
  });
});

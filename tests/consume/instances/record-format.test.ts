import type { ConsumedRecord } from "../../../src/broker/broker.ts";
import { recordJson } from "../../../src/consume/instances/record-format.ts";
import { createDecoder } from "../../../src/registry/decoder.ts";
import { createFakeSchemas, framed } from "../../support/registry/fake-schemas.ts";

const NOT_UTF8 = Buffer.from([0xff, 0x00]);

const record = (key: Buffer | string | null, value: Buffer | string | null): ConsumedRecord => ({
  ...{ topic: "kafka-name", partition: 2, offset: 9_007_199_254_740_993n, timestamp: 1000, headers: [] },
  key: key === null ? null : Buffer.from(key),
  value: value === null ? null : Buffer.from(value),
});

const REST = `"partition":2,"offset":9007199254740993,"timestamp":1000`;

it.each([
  ["binary", "k", "v", `"key":"aw==","value":"dg==",${REST}`],
  ["binary", null, null, `"key":null,"value":null,${REST}`],
  ["json", '"k"', '{"a": 1.0,\n"b":1e999}', `"key":"k","value":{"a": 1.0,\n"b":1e999},${REST}`],
  ["json", null, "null", `"key":null,"value":null,${REST}`],
  [
    "json",
    "k",
    '{"a":',
    `"key":"k","value":"{\\"a\\":",${REST},"key_encoding":"text","value_encoding":"text"`,
  ],
  ["json", null, "", `"key":null,"value":"",${REST},"value_encoding":"text"`],
  ["json", null, NOT_UTF8, `"key":null,"value":"/wA=",${REST},"value_encoding":"base64"`],
  ["text", "k", '{"a":1}', `"key":"k","value":"{\\"a\\":1}",${REST}`],
  ["text", NOT_UTF8, null, `"key":"/wA=","value":null,${REST},"key_encoding":"base64"`],
] as const)("writes in %s the key %j and the value %j", (format, key, value, expected) => {
  expect(recordJson(record(key, value), "asked", format).toString()).toBe(`{"topic":"asked",${expected}}`);
});

it("writes decoded keys and values in the formats of the registry, and base64 for what can't be decoded", async () => {
  const decoder = createDecoder(createFakeSchemas());
  const good = record(framed(7, "1"), framed(101, '{"a":1}'));
  const bad = record(null, framed(7, "broken"));
  await decoder.prepare([good, bad], ["key", "value"]);
  expect(recordJson(good, "asked", "avro", decoder).toString()).toBe(
    `{"topic":"asked","key":{"form":1},"value":{"form":{"a":1}},${REST}}`,
  );
  expect(recordJson(bad, "asked", "protobuf", decoder).toString()).toBe(
    `{"topic":"asked","key":null,"value":"${framed(7, "broken").toString("base64")}",${REST},"value_encoding":"base64"}`,
  );
});

it("writes headers with their order, repeats and nulls", () => {
  const headers = [
    { name: "b", value: Buffer.from("1") },
    { name: "a", value: null },
    { name: "b", value: Buffer.alloc(0) },
  ];
  const json = recordJson({ ...record(null, null), headers }, "t", "binary").toString();
  expect(json).toContain(
    '"headers":[{"key":"b","value":"MQ=="},{"key":"a","value":null},{"key":"b","value":""}]',
  );
});

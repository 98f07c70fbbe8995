import { contentBytes, recordBytes, withOwnBytes } from "../../src/broker/record-bytes.ts";

const record = {
  key: Buffer.from("abc"),
  value: Buffer.from("12345"),
  headers: [
    { name: "content-type", value: Buffer.from("text/plain") },
    { name: "empty", value: null },
  ],
};

test("contentBytes adds up key, value, header names and header values", () => {
  expect(contentBytes(record)).toBe(3 + 5 + 12 + 10 + 5);
  expect(contentBytes({ key: null, value: null, headers: [] })).toBe(0);
});

test("recordBytes adds an overhead for the record and for each header", () => {
  expect(recordBytes({ key: null, value: null, headers: [] })).toBe(70);
  expect(recordBytes(record)).toBe(35 + 70 + 2 * 8);
});

test("withOwnBytes copies a small record out of a large buffer", () => {
  const fetched = Buffer.alloc(1024 * 1024, "x");
  const consumed = { topic: "t", partition: 0, offset: 0n, timestamp: 1, headers: [] };
  const small = { ...consumed, key: null, value: fetched.subarray(0, 10) };
  const copy = withOwnBytes(small);
  expect(copy.value).toEqual(small.value);
  expect(copy.value?.buffer.byteLength).toBeLessThan(16 * 1024);
  const large = { ...consumed, key: null, value: fetched };
  expect(withOwnBytes(large)).toBe(large);
});

import type { RecordHeader } from "../../src/broker/broker.ts";
import { createDecoder } from "../../src/registry/decoder.ts";
import { createFakeSchemas, framed } from "../support/registry/fake-schemas.ts";

const record = (value: Buffer | null, headers: readonly RecordHeader[] = []) => ({
  key: null,
  value,
  headers,
});

const decodedBy = async (one: ReturnType<typeof record>, form: "json" | "avro-json" = "json") => {
  const decoder = createDecoder(createFakeSchemas());
  await decoder.prepare([one]);
  const decoded = decoder.decode(one, "value", form);
  return decoded?.status === "decoded"
    ? [decoded.type, decoded.id, decoded.json.toString()]
    : decoded?.reason;
};

it("decodes by the id of the frame, or of the record header", async () => {
  expect(await decodedBy(record(framed(7, "1")))).toEqual(["AVRO", 7, "1"]);
  expect(await decodedBy(record(framed(101, "1")), "avro-json")).toEqual(["AVRO", 101, '{"form":1}']);
  const header = { name: "__value_schema_id", value: framed(8, "") };
  expect(await decodedBy(record(Buffer.from("2"), [header]))).toEqual(["AVRO", 8, "2"]);
});

it.each([
  ["a value without a frame", Buffer.from('{"a":1}'), "the value has no schema id"],
  ["the id 0", framed(0, "1"), "the value has no schema id"],
  ["an unknown id", framed(201, "1"), "the registry has no schema with the id 201"],
  ["a broken payload", framed(7, "broken"), "the payload ends early"],
])("tells why it can't decode %s", async (_, value, reason) => {
  expect(await decodedBy(record(value))).toBe(reason);
});

it("asks for nothing if all schemas are known, and never for a tombstone", () => {
  const schemas = createFakeSchemas();
  const decoder = createDecoder(schemas);
  const tombstone = record(null);
  expect(decoder.prepare([record(framed(7, "1")), tombstone])).toBeUndefined();
  expect(decoder.decode(tombstone, "value", "json")).toBeUndefined();
  expect(schemas.asked).toEqual([]);
});

it("rejects while the registry is unavailable, and asks again afterwards", async () => {
  const schemas = createFakeSchemas();
  schemas.isAvailable = false;
  const decoder = createDecoder(schemas);
  const one = record(framed(101, "1"));
  await expect(decoder.prepare([one])).rejects.toMatchObject({ code: "REGISTRY_UNAVAILABLE" });
  schemas.isAvailable = true;
  await decoder.prepare([one]);
  expect(decoder.decode(one, "value", "json")?.status).toBe("decoded");
});

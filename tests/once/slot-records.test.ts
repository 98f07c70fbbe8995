import { randomBytes, randomInt } from "node:crypto";
import {
  decodeSlotRecord,
  encodeSlotRecord,
  type IntentEntry,
  type SlotRecord,
} from "../../src/once/slot-records.ts";

const writer = { process: "0123456789abcdef", tenure: 0xffffffff };
const topic = { name: "orders", id: "5a1e" };

const intentOf = (changes: Partial<IntentEntry> = {}): IntentEntry => ({
  digest: randomBytes(16),
  kind: "event",
  window: 3_600_000,
  payload: undefined,
  topic,
  partition: 7,
  from: 12,
  request: 0xfffffffe,
  ...changes,
});

const all: readonly SlotRecord[] = [
  { type: "fence", writer, ids: 2 ** 48 - 1 },
  {
    type: "intent",
    writer,
    ids: 5,
    entries: [
      intentOf(),
      intentOf({
        kind: "call",
        payload: randomBytes(8),
        from: Number.MAX_SAFE_INTEGER,
        partition: 0xffffffff,
      }),
      intentOf({ topic: { name: "caf\u00e9", id: "" }, window: 2 ** 48 - 1 }),
    ],
  },
  { type: "done", writer, ids: 0, entries: [{ digest: randomBytes(16), intent: 3, offset: 2 ** 52 }] },
  { type: "gone", writer, ids: 9, entries: [{ digest: randomBytes(16), intent: 0 }] },
];

const decoded = (record: SlotRecord): SlotRecord | undefined => decodeSlotRecord(encodeSlotRecord(record));

describe("records of a slot", () => {
  it.each(all)("reads a $type as it was written", (record) => {
    expect(decoded(record)).toMatchObject(record);
  });

  it("names each topic once, so an intent of 1,000 ids has less than 60 bytes an id", () => {
    const entries = Array.from({ length: 1000 }, () => intentOf({ payload: randomBytes(8) }));
    const bytes = encodeSlotRecord({ type: "intent", writer, ids: 0, entries });
    expect(bytes.length / 1000).toBeLessThan(60);
    expect(decodeSlotRecord(bytes)).toMatchObject({ entries });
  });

  it("carries the number of ids before it, by which a new home finds where to begin", () => {
    expect(decoded({ type: "intent", writer, ids: 123_456_789_012, entries: [intentOf()] })?.ids).toBe(
      123_456_789_012,
    );
  });

  it("reads no record that is cut, longer, of another version or of another type", () => {
    for (const record of all) {
      const bytes = encodeSlotRecord(record);
      for (let size = 0; size < bytes.length; size += 1)
        expect(decodeSlotRecord(bytes.subarray(0, size))).toBeUndefined();
      expect(decodeSlotRecord(Buffer.concat([bytes, Buffer.alloc(1)]))).toBeUndefined();
      for (const [at, value] of [
        [0, 2],
        [1, 4],
      ] as const) {
        const other = Buffer.from(bytes);
        other[at] = value;
        expect(decodeSlotRecord(other)).toBeUndefined();
      }
    }
  });

  it("reads no offset that is negative, broken or not a number", () => {
    for (const offset of [-1, 0.5, NaN, Infinity, 2 ** 60]) {
      expect(
        decoded({ type: "done", writer, ids: 0, entries: [{ digest: randomBytes(16), intent: 1, offset }] }),
      ).toBeUndefined();
      expect(
        decoded({ type: "intent", writer, ids: 0, entries: [intentOf({ from: offset })] }),
      ).toBeUndefined();
    }
  });

  it("never throws, whatever the bytes are", () => {
    for (let round = 0; round < 20_000; round += 1) {
      const record = all[round % all.length];
      const bytes =
        round % 2 === 0 || record === undefined ? randomBytes(randomInt(200)) : encodeSlotRecord(record);
      for (let changes = randomInt(4); changes > 0 && bytes.length > 0; changes -= 1)
        bytes[randomInt(bytes.length)] = randomInt(256);
      expect(() => decodeSlotRecord(bytes)).not.toThrow();
    }
  });
});

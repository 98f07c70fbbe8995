import type { ConsumedRecord } from "../../src/broker/broker.ts";
import { createBatchApi } from "../../src/consume/batch.ts";
import type { ReaderCall } from "../../src/consume/readers.ts";
import type { Decoder } from "../../src/registry/decoder.ts";

const record = (offset: bigint): ConsumedRecord => ({
  topic: "orders",
  partition: 0,
  offset,
  timestamp: 1,
  key: null,
  value: Buffer.from("x"),
  headers: [],
});

/** Each value becomes JSON of 40 bytes. */
const decoder: Decoder = {
  prepare: () => undefined,
  decode: () => ({ status: "decoded", json: Buffer.alloc(40, "0"), type: "AVRO", id: 1 }),
};

/** The number of events in an answer, and what the pull was told. */
const answerTo = async (decode: string, events: number, maxBytes: number) => {
  const told: string[] = [];
  const consumers = {
    pull: () =>
      Promise.resolve({
        events: Array.from({ length: events }, (_, i) => record(BigInt(i))),
        keep: (count: number) => told.push(`keep ${count}`),
        consume: () => Promise.resolve(void told.push("consume")),
        release: () => told.push("release"),
      }),
    close: () => undefined,
  };
  const answered = (count: number): unknown => told.push(`answered ${count}`);
  const toText: Parameters<typeof createBatchApi>[1]["toText"] = ({ value }, decoded) =>
    decoded?.status === "decoded" ? decoded.json : (value ?? Buffer.alloc(0));
  const api = createBatchApi(consumers, { decoder: () => decoder, toText, answered, maxBytes });
  const answer = await api.serve({ body: { decode } } as ReaderCall);
  answer.ended(true);
  return { events: Number(answer.headers["events"]), told };
};

describe("an answer of consume/batch", () => {
  it("has no more decoded bytes than the limit, and leaves the other events to the next call", async () => {
    expect(await answerTo("json", 5, 100)).toEqual({
      events: 2,
      told: ["keep 2", "consume", "answered 2"],
    });
  });

  it("has one event that is larger than the limit", async () => {
    expect(await answerTo("json", 5, 10)).toEqual({ events: 1, told: ["keep 1", "consume", "answered 1"] });
  });

  it("has all events if they fit, or are not decoded", async () => {
    expect(await answerTo("json", 2, 80)).toEqual({ events: 2, told: ["consume", "answered 2"] });
    expect(await answerTo("none", 5, 4)).toEqual({ events: 5, told: ["consume", "answered 5"] });
  });
});

import { carriedIn, carrying, createIdOf, type IdSource } from "../../src/ingest/event-ids.ts";
import { eventOf, ofCall, ofStation, recordOf } from "./once-support.ts";

const payload = Buffer.alloc(32, 7).toString("base64");

describe("a record on its way through the spool", () => {
  it.each<[string, IdSource]>([
    ["an event of a station", ofStation("1")],
    ["an event of a call", ofCall("k", { place: 3, strict: false })],
    ["an event of a call with a payload", ofCall("k", { payload })],
  ])("carries what the id is made of, and gives it back: %s", (_, source) => {
    const event = eventOf(source, "a");
    const carried = carrying(event);
    expect(carried.headers.map(({ name }) => name)).toEqual(["x-a", "x-stationgate-once-id"]);
    expect(carriedIn(carried)).toEqual(event);
  });

  it("is a record without an id if it does not end with the header", () => {
    expect(carriedIn(recordOf("1"))).toBeUndefined();
    expect(carriedIn({ ...recordOf("1"), headers: [] })).toBeUndefined();
  });

  it("has the same id afterwards", () => {
    for (const source of [ofStation("1"), ofCall("k", { place: 2, payload })]) {
      const event = eventOf(source, "a");
      const at = { topicId: "t1", slots: 12 };
      const idOf = createIdOf(at);
      expect(idOf(carriedIn(carrying(event)) ?? eventOf(ofStation("none")))).toEqual(idOf(event));
    }
  });
});

describe("the id of an event", () => {
  const at = { topicId: "t1", slots: 12 };
  const digestOf = (source: IdSource, key: string | null, topicId = "t1"): string =>
    createIdOf({ topicId, slots: 12 })(eventOf(source, key)).digest.toString("hex");

  it("of a station depends on the station, the id, the key and the topic's id", () => {
    const digests = [
      digestOf(ofStation("1"), null),
      digestOf(ofStation("2"), null),
      digestOf(ofStation("1", { station: "other" }), null),
      digestOf(ofStation("1"), "a"),
      digestOf(ofStation("1"), null, "t2"),
    ];
    expect(new Set(digests).size).toBe(5);
    expect(digestOf(ofStation("1"), null)).toBe(digests[0]);
  });

  it("of a call depends on the scope and the place, and not on the key or the topic", () => {
    const digests = [
      digestOf(ofCall("k"), null),
      digestOf(ofCall("l"), null),
      digestOf(ofCall("k", { place: 1 }), null),
    ];
    expect(new Set(digests).size).toBe(3);
    expect(digestOf(ofCall("k"), "a", "t2")).toBe(digests[0]);
  });

  it("has the window and the kind, and that of a call the start of the payload's digest", () => {
    const idOf = createIdOf(at);
    expect(idOf(eventOf(ofStation("1")))).toMatchObject({ kind: "event", window: 1000 });
    const { payload: given, ...id } = idOf(eventOf(ofCall("k", { payload })));
    expect(id).toMatchObject({ kind: "call", window: 1000 });
    expect(given).toEqual(Buffer.alloc(16, 7));
    expect(idOf(eventOf(ofCall("k"))).payload).toBeUndefined();
  });
});

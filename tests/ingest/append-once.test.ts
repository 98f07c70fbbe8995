import { verifiedPrincipal } from "../../src/auth/principal.ts";
import { createAppendsOnce } from "../../src/ingest/append-once.ts";
import type { CallId, SourcedRecord, SpoolableEvent } from "../../src/ingest/event-ids.ts";
import type { ProduceRequest, ProduceSpool } from "../../src/ingest/produce.ts";
import { recordOf } from "./once-support.ts";

const principal = verifiedPrincipal({
  kind: "account",
  name: "app1",
  mayProduce: () => true,
  mayConsume: () => false,
  origins: [],
  limits: {},
});

const station = { name: "orders", topic: "shop.orders", key: undefined, validator: undefined };
const withIds = { ...station, once: { id: "/id", windowMs: 500, strict: true } };
const callId: CallId = { scope: ["call", "k"], windowMs: 900, strict: false };
const order = {};

const requestOf = (overrides: Partial<ProduceRequest> = {}): ProduceRequest => ({
  ...{ principal, station, events: [], order, ...overrides },
});

const setUp = (takes = false) => {
  const stored: {
    readonly topic: string;
    readonly events: readonly SourcedRecord[];
    readonly order: unknown;
  }[] = [];
  const spooled: {
    readonly topic: string;
    readonly events: readonly SpoolableEvent[];
    readonly order: unknown;
  }[] = [];
  const spool: ProduceSpool = {
    takes: () => takes,
    isSpooling: () => false,
    append: (topic, events, given) => {
      spooled.push({ topic, events, order: given });
      return Promise.resolve(events.map(() => ({ status: "spooled" })));
    },
  };
  const appendsOnce = createAppendsOnce(
    {
      append: (topic, events, given) => {
        stored.push({ topic, events, order: given });
        return Promise.resolve(
          events.map((_, i) => ({ status: "stored", partition: 0, offset: BigInt(i), timestamp: 1 })),
        );
      },
    },
    spool,
  );
  return { appendsOnce, stored, spooled };
};

it("leaves a request without ids alone", () => {
  expect(setUp().appendsOnce(requestOf())).toBeUndefined();
});

it("makes the id of a station's event of its station and its own id, which is no part of the record", async () => {
  const { appendsOnce, stored, spooled } = setUp();
  const append = appendsOnce(requestOf({ station: withIds }));
  const record = recordOf("1", "a");
  expect(await append?.([{ record: { ...record, eventId: "e1" }, place: 4 }])).toMatchObject([
    { status: "stored", offset: 0n },
  ]);
  const source = { kind: "event", station: "orders", id: "e1", window: 500, strict: true };
  expect(stored).toEqual([{ topic: "shop.orders", events: [{ record, source }], order }]);
  expect(stored[0]?.order).toBe(order);
  expect(spooled).toEqual([]);
});

it("makes the id of a call's event of the call and the place", async () => {
  const { appendsOnce, stored } = setUp();
  const payload = Buffer.alloc(32, 1);
  const append = appendsOnce(requestOf({ callId: { ...callId, payload } }));
  await append?.([
    { record: recordOf("1"), place: 1 },
    { record: recordOf("2"), place: 5 },
  ]);
  const source = {
    ...{ kind: "call", scope: ["call", "k"], window: 900, strict: false },
    payload: payload.toString("base64"),
  };
  expect(stored[0]?.events).toEqual([
    { record: recordOf("1"), source: { ...source, place: 1 } },
    { record: recordOf("2"), source: { ...source, place: 5 } },
  ]);
});

it("lets the station's ids count before that of the call", async () => {
  const { appendsOnce, stored } = setUp();
  await appendsOnce(requestOf({ station: withIds, callId }))?.([
    { record: { ...recordOf("1"), eventId: "e1" }, place: 0 },
  ]);
  expect(stored[0]?.events[0]?.source).toMatchObject({ kind: "event", id: "e1" });
});

it("gives the spool events with what their ids are made of", async () => {
  const { appendsOnce, stored, spooled } = setUp(true);
  const append = appendsOnce(requestOf({ callId }));
  expect(await append?.([{ record: recordOf("1"), place: 2 }])).toEqual([{ status: "spooled" }]);
  expect(stored).toEqual([]);
  const source = { kind: "call", scope: ["call", "k"], place: 2, window: 900, strict: false };
  expect(spooled).toEqual([{ topic: "shop.orders", events: [{ record: recordOf("1"), source }], order }]);
});

import { idWriter, parseId } from "../../../src/consume/stream/stream-id.ts";

const UUID = "01234567-89ab-cdef-0123-456789abcdef";

it.each([
  ["shop.orders", UUID, [0n, 127n, 128n, 2n ** 62n]],
  ["t", "", []],
  ["x".repeat(249), "topic-3", [5n]],
])("has the topic %s, its id and the offsets", (topic, topicId, offsets) => {
  const id = idWriter(topic, topicId)(offsets);
  expect(id).toMatch(/^[\w-]+$/);
  expect(parseId(id)).toEqual({ topic, topicId, offsets });
});

it("has less than 100 characters for a topic with 12 partitions and a million events", () => {
  const offsets = Array.from({ length: 12 }, () => 90_000n);
  expect(idWriter("shop.orders", UUID)(offsets).length).toBeLessThan(100);
});

it.each(["", "AAAA", "a b", "AQ", "AQVob29r", `${idWriter("t", UUID)([1n])}_w`, "AQF0AP____________8B"])(
  "is not read from %j",
  (text) => {
    expect(parseId(text)).toBeUndefined();
  },
);

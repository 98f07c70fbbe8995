import type { GroupPosition } from "../../../src/broker/broker.ts";
import { createUnfinished } from "../../../src/delivery/connectors/unfinished.ts";

const REQUEST = { "callback.request.url": "https://crm.example", "callback.request.method": "POST" };

/** Connectors with these topics, whose groups have these positions in partition 0 of `orders`. */
const unfinishedOf = (
  connectors: Readonly<Record<string, { readonly config: Record<string, string>; readonly at?: bigint }>>,
) => {
  const committed = (group: string, topic: string): Promise<readonly GroupPosition[]> => {
    const { at } = connectors[group.replace(/^connect-/, "")] ?? {};
    return Promise.resolve(
      at === undefined || topic !== "orders"
        ? []
        : [{ topic, partition: 0, offset: at, metadata: undefined }],
    );
  };
  const list = Object.entries(connectors).map(([name, { config }]) => ({ name, config }));
  return createUnfinished({ committed }, () => list);
};

const orders = { topic: "orders", partition: 0 };
const of = (topics: string) => ({ ...REQUEST, topics });

it("is the lowest position of the connectors that read the topic", async () => {
  const { from } = unfinishedOf({
    fast: { config: of("orders"), at: 90n },
    slow: { config: { ...REQUEST, "topics.regex": "ord.*" }, at: 20n },
    other: { config: of("payments"), at: 5n },
    "other-pattern": { config: { ...REQUEST, "topics.regex": "rders" }, at: 5n },
  });
  expect(await from(orders)).toBe(20n);
});

it("is the beginning while a connector has no position in the partition", async () => {
  const { from } = unfinishedOf({
    fast: { config: of("orders"), at: 90n },
    new: { config: of("orders") },
  });
  expect(await from(orders)).toBe(0n);
  expect(
    await unfinishedOf({ fast: { config: of("orders"), at: 90n } }).from({ ...orders, partition: 1 }),
  ).toBe(0n);
});

it("is undefined if no connector reads the topic", async () => {
  expect(await unfinishedOf({ other: { config: of("payments") } }).from(orders)).toBeUndefined();
  expect(await unfinishedOf({}).from(orders)).toBeUndefined();
});

it("counts a connector whose configuration has faults for every topic", async () => {
  const { from } = unfinishedOf({
    broken: { config: { topics: "payments" }, at: 7n },
    fast: { config: of("orders"), at: 90n },
  });
  expect(await from(orders)).toBe(7n);
});

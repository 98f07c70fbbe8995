import { type Broker, isInternalTopic } from "../../../src/broker/broker.ts";
import { station } from "../../../src/config/schema/stations-settings.ts";
import { existingTopics } from "../../../src/delivery/engine/delivery-plan.ts";

const INTERNAL = [
  "__consumer_offsets",
  "__transaction_state",
  "__share_group_state",
  "__cluster_metadata",
  "_stationgate-connectors",
  "_stationgate-staging",
];
const OTHERS = ["orders", "__mine", "_schemas", "consumer_offsets", "stationgate-orders"];

const brokerWith = (names: readonly string[]): Pick<Broker, "topics" | "topic"> => ({
  topics: () => Promise.resolve(names.map((name) => ({ name, partitions: 1 }))),
  topic: (name) => Promise.resolve(names.includes(name) ? { name, partitions: 1 } : undefined),
});

describe("the topics of a connector", () => {
  it.each([/^(?:.*)$/, /^(?:_.*)$/, /^(?:__consumer_offsets|orders)$/])(
    "selected by %s, exclude the internal topics of Kafka and of the gateway",
    async (pattern) => {
      const topics = await existingTopics(brokerWith([...INTERNAL, ...OTHERS]), { pattern });

      expect(topics).toEqual(OTHERS.filter((name) => pattern.test(name)).toSorted());
    },
  );

  it("selected by name are the existing ones", async () => {
    expect(await existingTopics(brokerWith(OTHERS), { names: ["orders", "missing"] })).toEqual(["orders"]);
  });
});

it("a station can't be declared on an internal topic", () => {
  const accepted = [...INTERNAL, ...OTHERS].filter(
    (topic) => station.safeParse({ name: "s", topic }).success,
  );

  expect(accepted).toEqual(OTHERS);
  expect(INTERNAL.every(isInternalTopic)).toBe(true);
});

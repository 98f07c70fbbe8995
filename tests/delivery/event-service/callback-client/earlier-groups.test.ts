import { createMemoryBroker } from "../../../../src/broker/memory/memory-broker.ts";
import type { Broker } from "../../../../src/broker/broker.ts";
import { withEarlierGroups } from "../../../../src/delivery/event-service/callback-client.ts";

const TOPIC = "TRANSACTION";

let broker: Broker;
let both: Broker;

beforeEach(async () => {
  broker = createMemoryBroker({ partitions: 2 });
  await broker.open();
  await broker.ensureTopic({ name: TOPIC });
  both = withEarlierGroups(broker, new Map([["of-list", "of-name"]]));
});

afterEach(() => broker.close());

const at = (partition: number, offset: bigint) => ({ topic: TOPIC, partition, offset });

it("returns the larger position of both groups for each partition", async () => {
  await broker.setCommitted("of-list", [at(0, 7n), at(1, 2n)]);
  await broker.setCommitted("of-name", [at(0, 5n), at(1, 9n)]);
  const found = await both.committed("of-list", TOPIC);

  expect(found.map(({ partition, offset }) => [partition, offset]).sort()).toStrictEqual([
    [0, 7n],
    [1, 9n],
  ]);
});

it("returns a position that only one group has", async () => {
  await broker.setCommitted("of-name", [at(1, 3n)]);

  expect(await both.committed("of-list", TOPIC)).toMatchObject([at(1, 3n)]);
});

it("stores a position in both groups", async () => {
  await both.setCommitted("of-list", [at(0, 4n)]);

  expect(await broker.committed("of-list", TOPIC)).toMatchObject([at(0, 4n)]);
  expect(await broker.committed("of-name", TOPIC)).toMatchObject([at(0, 4n)]);
});

it("doesn't change other groups", async () => {
  await both.setCommitted("another", [at(0, 1n)]);

  expect(await broker.committed("of-name", TOPIC)).toStrictEqual([]);
  expect(await both.committed("another", TOPIC)).toMatchObject([at(0, 1n)]);
});

import { DONE } from "../../../support/http-sink.ts";
import { bodyOf, useConnectors } from "./rig.ts";

const rig = useConnectors();

beforeEach(async () => {
  await rig.create("crm").expect(201);
  await rig.produce("a", "b", "c");
  await rig.sink.received(3);
  await rig.http.put("/connectors/crm/stop").expect(204);
});

const alter = (offset: unknown, partition: unknown = { kafka_topic: "orders", kafka_partition: 0 }) =>
  rig.http.patch("/connectors/crm/offsets").send({ offsets: [{ partition, offset }] });

const position = async () => {
  const { offsets } = await bodyOf<{ offsets: { offset: { kafka_offset: number } }[] }>(
    rig.http.get("/connectors/crm/offsets").expect(200),
  );
  return offsets[0]?.offset.kafka_offset;
};

const OFFSET = "offsets.0.offset.kafka_offset must be a whole number, 0 or greater";
const PARTITION = "offsets.0.partition.kafka_partition must be a whole number, 0 or greater";

describe("an offset", () => {
  it.each([
    [4, "Offset 4 is past the end of partition orders-0; the maximum is 3"],
    ["999999999999999999", "is past the end"],
    [-1, OFFSET],
    ["-1", OFFSET],
    [1.5, OFFSET],
    ["1.5", OFFSET],
    ["", OFFSET],
    [1e300, OFFSET],
    [true, OFFSET],
  ])("is refused if kafka_offset is %j", async (kafka_offset, reason) => {
    const { message } = await bodyOf(alter({ kafka_offset }).expect(400));

    expect(message).toContain(reason);
    expect(await position()).toBe(3);
  });

  it.each([
    [{}, "must have kafka_offset or kafka_timestamp"],
    [{ kafka_offset: 1, kafka_timestamp: 1 }, "must not have both"],
    [{ offset: 1 }, "must be null, or an object with either kafka_offset or kafka_timestamp"],
    [1, "must be null, or an object"],
    [{ kafka_timestamp: -1 }, "must be milliseconds since the epoch"],
    [{ kafka_timestamp: "yesterday" }, "must be milliseconds since the epoch"],
  ])("is refused if it is %j", async (offset, reason) => {
    expect((await bodyOf(alter(offset).expect(400))).message).toContain(reason);
  });
});

describe("a partition", () => {
  it.each([
    [{ kafka_topic: "orders", kafka_partition: 1 }, "Partition orders-1 does not exist"],
    [{ kafka_topic: "nothing", kafka_partition: 0 }, "Partition nothing-0 does not exist"],
    [{ kafka_topic: "orders", kafka_partition: -1 }, PARTITION],
    [{ kafka_topic: "orders", kafka_partition: 0.5 }, PARTITION],
    [{ kafka_topic: "orders", kafka_partition: "" }, PARTITION],
    [{ kafka_topic: "orders", kafka_partition: null }, PARTITION],
    [{ kafka_topic: "orders", kafka_partition: 2 ** 31 }, PARTITION],
  ])("is refused if it is %j", async (partition, reason) => {
    expect((await bodyOf(alter({ kafka_offset: 0 }, partition).expect(400))).message).toContain(reason);
  });

  it("is refused if it has two offsets", async () => {
    const partition = { kafka_topic: "orders", kafka_partition: 0 };
    const offsets = [0, 1].map((kafka_offset) => ({ partition, offset: { kafka_offset } }));
    const answer = rig.http.patch("/connectors/crm/offsets").send({ offsets }).expect(400);

    expect((await bodyOf(answer)).message).toBe(
      "Partition orders-0 has two offsets in the request; send one",
    );
  });
});

it.each([
  ["the end", { kafka_offset: 3 }],
  ["a time in the future", { kafka_timestamp: "2999-01-01T00:00:00Z" }],
  ["the far future", { kafka_timestamp: Number.MAX_SAFE_INTEGER }],
])("continues with the next event after %s", async (_, offset) => {
  await alter(offset).expect(200);
  expect(await position()).toBe(3);
  rig.sink.answer(() => DONE);
  await rig.http.put("/connectors/crm/resume").expect(202);
  await rig.produce("d");
  await rig.sink.received(4);

  expect(rig.sink.bodies).toStrictEqual(["a", "b", "c", "d"]);
});

it("accepts the partition and the offset as strings", async () => {
  await alter({ kafka_offset: "1" }, { kafka_topic: "orders", kafka_partition: "0" }).expect(200);
  expect(await position()).toBe(1);
});

import { createMemoryBroker } from "../../../src/broker/memory/memory-broker.ts";
import { describeBroker } from "../conformance.ts";

describeBroker("the memory broker", async () => {
  const broker = createMemoryBroker();
  await broker.open();
  return { broker, close: () => broker.close() };
});

describe("a memory broker", () => {
  it("creates topics with the configured number of partitions", async () => {
    const broker = createMemoryBroker({ partitions: 7 });

    expect(await broker.ensureTopic({ name: "orders" })).toEqual({ name: "orders", partitions: 7 });
  });

  it("keeps its own copy of a record's buffer", async () => {
    const broker = createMemoryBroker({ partitions: 1 });
    const value = Buffer.from("kept");
    await broker.ensureTopic({ name: "orders" });
    await broker.append("orders", [{ key: null, value, headers: [], timestamp: 0 }]);
    value.fill(0);
    const read = await new Promise((resolve) => {
      void broker.subscribe({ topics: ["orders"], from: "earliest" }, { onRecords: resolve });
    });
    await broker.close();

    expect(read).toMatchObject([{ value: Buffer.from("kept") }]);
  });
});

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createEmbeddedBroker } from "../../../src/broker/embedded/embedded-broker.ts";
import { describeBroker } from "../conformance.ts";

it("creates topics with the maximum record size of this moment", async () => {
  const dir = await mkdtemp(path.join(tmpdir(), "stationgate-embedded-"));
  let maxRecordBytes = 10;
  const broker = createEmbeddedBroker({ dir, maxRecordBytes: () => maxRecordBytes });
  await broker.open();
  const isStored = async (topic: string): Promise<boolean> => {
    await broker.ensureTopic({ name: topic });
    const record = { key: null, value: Buffer.alloc(100), headers: [], timestamp: 1 };
    return (await broker.append(topic, [record]))[0]?.status === "stored";
  };
  expect(await isStored("before")).toBe(false);
  maxRecordBytes = 1000;
  expect(await isStored("after")).toBe(true);
  await broker.close();
  await rm(dir, { recursive: true });
});

describeBroker("the embedded broker", async () => {
  const dir = await mkdtemp(path.join(tmpdir(), "stationgate-embedded-"));
  const broker = createEmbeddedBroker({ dir });
  await broker.open();
  return {
    broker,
    close: async () => {
      await broker.close();
      await rm(dir, { recursive: true });
    },
  };
});

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createEmbeddedBroker } from "../../../src/broker/embedded/embedded-broker.ts";
import { describeBroker } from "../conformance.ts";

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

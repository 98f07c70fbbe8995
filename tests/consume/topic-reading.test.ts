import { createMemoryBroker } from "../../src/broker/memory/memory-broker.ts";
import { createTopicReading } from "../../src/consume/topic-reading.ts";
import { createFakeClock } from "../support/fake-clock.ts";

const TOPIC = "orders";

/** Waits for what follows inside the process. */
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 10; turn += 1) await new Promise(setImmediate);
};

describe("the partitions of a topic", () => {
  it("are given up before any call of revoke resolves", async () => {
    const clock = createFakeClock();
    const broker = createMemoryBroker({ clock });
    await broker.ensureTopic({ name: TOPIC, partitions: 1 });
    let giveUp = (): void => undefined;
    const reading = createTopicReading({
      ...{ broker, clock, group: "billing", topic: TOPIC, from: "earliest", maxReadBytes: 1000 },
      starts: {
        kept: () => undefined,
        keep: () => Promise.resolve(),
        committed: () => undefined,
      },
      handlers: {
        onRecords: () => undefined,
        onRevoked: () => new Promise((resolve) => (giveUp = resolve)),
      },
    });
    reading.assign([{ topic: TOPIC, partition: 0 }]);

    let revoked = 0;
    for (const revoking of [reading.revoke(), reading.revoke()]) void revoking.then(() => (revoked += 1));
    await settle();
    expect(revoked).toBe(0);
    giveUp();
    await settle();
    expect(revoked).toBe(2);
    await broker.close();
  });
});

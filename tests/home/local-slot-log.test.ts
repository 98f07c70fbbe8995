import { createMemoryBroker } from "../../src/broker/memory/memory-broker.ts";
import { GatewayError } from "../../src/errors.ts";
import { LocalSlotLog } from "../../src/home/local-slot-log.ts";
import { createFakeClock } from "../support/fake-clock.ts";

const TOPIC = "slots";
const SLOT = 1;

describe("the log of a slot on a broker that only this process can write to", () => {
  let broker: ReturnType<typeof createMemoryBroker>;
  let lost: AbortController;

  beforeEach(async () => {
    broker = createMemoryBroker();
    lost = new AbortController();
    await broker.ensureTopic({ name: TOPIC, partitions: 2 });
  });
  afterEach(() => broker.close());

  const open = (on: Pick<typeof broker, "append" | "read" | "watermarks"> = broker): LocalSlotLog =>
    new LocalSlotLog({ broker: on, clock: createFakeClock(), topic: TOPIC, slot: SLOT, signal: lost.signal });
  const put = (log: LocalSlotLog, name: string, value: string | null): Promise<void> =>
    log.put([{ name, value: value === null ? null : Buffer.from(value) }]);
  const living = async (log: LocalSlotLog): Promise<Record<string, string>> =>
    Object.fromEntries([...(await log.enter())].map(([name, value]) => [name, String(value)]));

  it("gives the next process what was put, without what was deleted", async () => {
    const log = open();
    expect(await living(log)).toEqual({});
    await put(log, "a", "1");
    await put(log, "b/with slash", "2");
    await put(log, "a", null);
    await put(log, "b/with slash", "3");
    expect(await living(open())).toEqual({ "b/with slash": "3" });
  });

  it("writes nothing when it is entered, and only into its own slot", async () => {
    const log = open();
    await log.enter();
    await put(log, "a", "1");
    await open().enter();
    const ends = (await broker.watermarks(TOPIC)).map(({ high }) => high);
    expect(ends).toEqual([0n, 1n]);
  });

  it("rejects a put with the broker's error, and accepts the next one", async () => {
    let isFull = true;
    const log = open({
      ...broker,
      append: (topic, records) =>
        isFull
          ? Promise.resolve(
              records.map(() => ({ status: "failed", error: new GatewayError("BROKER_UNAVAILABLE") })),
            )
          : broker.append(topic, records),
    });
    await log.enter();
    await expect(put(log, "a", "1")).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
    isFull = false;
    await put(log, "b", "2");
    expect(await living(log)).toEqual({ b: "2" });
  });

  it("is stale when it is invalidated, and when the slot is lost; then puts get SLOT_MOVED", async () => {
    const log = open();
    await log.enter();
    const first = log.stale();
    log.invalidate();
    await first;
    const second = log.stale();
    lost.abort();
    await second;
    await log.stale();
    await expect(put(log, "a", "1")).rejects.toMatchObject({ code: "SLOT_MOVED" });
  });
});

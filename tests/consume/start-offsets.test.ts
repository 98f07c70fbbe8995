import { SlotRecords } from "../../src/consume/slot-records.ts";
import { startOffsetsOf } from "../../src/consume/start-offsets.ts";
import { type ErrorCode, GatewayError } from "../../src/errors.ts";

const START = { topic: "orders", partition: 0, offset: 7n };

describe("the start offsets of a group", () => {
  /** undefined: puts are stored. */
  const startsWith = (fault?: ErrorCode) => {
    const records = new SlotRecords();
    const put = () => (fault === undefined ? Promise.resolve() : Promise.reject(new GatewayError(fault)));
    records.opened({ put }, new Map());
    return startOffsetsOf(records, "billing");
  };

  it("are kept until the group has committed", async () => {
    const starts = startsWith();
    await starts.keep([START], "latest");
    expect(starts.kept(START)).toBe(7n);
    starts.committed([START]);
    await new Promise(setImmediate);
    expect(starts.kept(START)).toBeUndefined();
  });

  it("by latest must be stored", async () => {
    await expect(startsWith("BROKER_UNAVAILABLE").keep([START], "latest")).rejects.toMatchObject({
      code: "BROKER_UNAVAILABLE",
    });
  });

  it("by earliest may stay unstored while nothing can be stored", async () => {
    const starts = startsWith("BROKER_UNAVAILABLE");
    await starts.keep([START], "earliest");
    expect(starts.kept(START)).toBeUndefined();
  });

  it("by earliest must be stored if it is unknown whether they are, or if the slot has moved", async () => {
    for (const code of ["BROKER_AMBIGUOUS", "SLOT_MOVED"] as const)
      await expect(startsWith(code).keep([START], "earliest")).rejects.toMatchObject({ code });
  });
});

import type { PartitionBatch } from "../../../../src/broker/kafka/producer.ts";
import { createSequences } from "../../../../src/broker/kafka/platformatic-producer.ts";

const batchOf = (partition: number, records: number): PartitionBatch => ({
  partition,
  records: Array.from({ length: records }, () => ({
    key: null,
    value: null,
    headers: [],
    timestamp: 0,
  })),
});

const sequences = () => {
  let ids = 0n;
  return createSequences(() => Promise.resolve({ producerId: ++ids, epoch: 0 }));
};

const identity = (producerId: bigint, baseSequence: number) => ({ producerId, epoch: 0, baseSequence });

describe("sequence numbers", () => {
  it("count a partition's records, each partition and topic by itself", async () => {
    const { of } = sequences();

    expect(await of("t", batchOf(0, 3))).toEqual(identity(1n, 0));
    expect(await of("t", batchOf(0, 2))).toEqual(identity(1n, 3));
    expect(await of("t", batchOf(1, 2))).toEqual(identity(1n, 0));
    expect(await of("u", batchOf(0, 2))).toEqual(identity(1n, 0));
    expect(await of("t", batchOf(0, 1))).toEqual(identity(1n, 5));
  });

  it("stay a batch's own however often it is sent", async () => {
    const { of } = sequences();
    const batch = batchOf(0, 3);
    const first = await of("t", batch);
    await of("t", batchOf(0, 1));

    expect(await of("t", batch)).toEqual(first);
  });

  it("give the numbers of a refused batch to the next one", async () => {
    const { of, refused } = sequences();
    const batch = batchOf(0, 3);
    await of("t", batch);
    refused(batch);

    expect(await of("t", batchOf(0, 1))).toEqual(identity(1n, 0));
  });

  it("are not given to the next batch if an earlier attempt of the refused one may be stored", async () => {
    const { of, doubted, refused } = sequences();
    const batch = batchOf(0, 3);
    await of("t", batch);
    doubted(batch);
    refused(batch);

    expect(await of("t", batchOf(0, 3))).toEqual(identity(2n, 0));
  });

  it("begin a new identity where a refused batch leaves a gap", async () => {
    const { of, refused } = sequences();
    const batch = batchOf(0, 3);
    await of("t", batch);
    await of("t", batchOf(0, 1));
    refused(batch);

    expect(await of("t", batchOf(0, 1))).toEqual(identity(2n, 0));
  });

  it("begin a new identity behind an abandoned batch, for every partition, and leave those under way theirs", async () => {
    const { of, abandoned } = sequences();
    const given = batchOf(0, 3);
    const underWay = batchOf(1, 2);
    await of("t", given);
    const its = await of("t", underWay);
    abandoned(given);

    expect(await of("t", batchOf(0, 3))).toEqual(identity(2n, 0));
    expect(await of("t", underWay)).toEqual(its);
    expect(await of("t", batchOf(1, 1))).toEqual(identity(2n, 0));
  });

  it("forget who an unrecognised batch was from", async () => {
    const { of, unrecognised } = sequences();
    const batch = batchOf(0, 3);
    await of("t", batch);
    unrecognised(batch);

    expect(await of("t", batch)).toEqual(identity(2n, 0));
  });

  it("ask for an identity once, and again after a failure", async () => {
    let asked = 0;
    const { of } = createSequences(() => {
      asked += 1;
      return asked === 1
        ? Promise.reject(new TypeError("away"))
        : Promise.resolve({ producerId: 9n, epoch: 1 });
    });
    const both = [of("t", batchOf(0, 1)), of("t", batchOf(1, 1))];

    expect((await Promise.allSettled(both)).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(await of("t", batchOf(0, 1))).toEqual({ producerId: 9n, epoch: 1, baseSequence: 0 });
    expect(asked).toBe(2);
  });

  it("wrap around after 31 bits", async () => {
    const { of } = sequences();
    const huge: PartitionBatch = {
      partition: 0,
      records: { length: 2 ** 31 - 1 } as PartitionBatch["records"],
    };
    await of("t", huge);

    expect(await of("t", batchOf(0, 3))).toEqual(identity(1n, 2 ** 31 - 1));
    expect(await of("t", batchOf(0, 1))).toEqual(identity(1n, 2));
  });
});

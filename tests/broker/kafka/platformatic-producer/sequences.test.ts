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
  it("count the records of each partition of each topic", async () => {
    const { of } = sequences();

    expect(await of("t", batchOf(0, 3))).toEqual(identity(1n, 0));
    expect(await of("t", batchOf(0, 2))).toEqual(identity(1n, 3));
    expect(await of("t", batchOf(1, 2))).toEqual(identity(1n, 0));
    expect(await of("u", batchOf(0, 2))).toEqual(identity(1n, 0));
    expect(await of("t", batchOf(0, 1))).toEqual(identity(1n, 5));
  });

  it("of a batch stay the same on each attempt", async () => {
    const { of } = sequences();
    const batch = batchOf(0, 3);
    const first = await of("t", batch);
    await of("t", batchOf(0, 1));

    expect(await of("t", batch)).toEqual(first);
  });

  it("of a refused batch are given to the next batch", async () => {
    const { of, refused } = sequences();
    const batch = batchOf(0, 3);
    await of("t", batch);
    refused(batch);

    expect(await of("t", batchOf(0, 1))).toEqual(identity(1n, 0));
  });

  it("are not given to the next batch if an earlier attempt of the refused batch may be stored", async () => {
    const { of, doubted, refused } = sequences();
    const batch = batchOf(0, 3);
    await of("t", batch);
    doubted(batch);
    refused(batch);

    expect(await of("t", batchOf(0, 3))).toEqual(identity(2n, 0));
  });

  it("start again with a new identity if a refused batch leaves a gap", async () => {
    const { of, refused } = sequences();
    const batch = batchOf(0, 3);
    await of("t", batch);
    await of("t", batchOf(0, 1));
    refused(batch);

    expect(await of("t", batchOf(0, 1))).toEqual(identity(2n, 0));
  });

  it("start again with a new identity after an abandoned batch; batches in flight keep their identity", async () => {
    const { of, abandoned } = sequences();
    const given = batchOf(0, 3);
    const inFlight = batchOf(1, 2);
    await of("t", given);
    const before = await of("t", inFlight);
    abandoned(given);

    expect(await of("t", batchOf(0, 3))).toEqual(identity(2n, 0));
    expect(await of("t", inFlight)).toEqual(before);
    expect(await of("t", batchOf(1, 1))).toEqual(identity(2n, 0));
  });

  it("of a batch with an unrecognised identity start again with a new identity", async () => {
    const { of, unrecognised } = sequences();
    const batch = batchOf(0, 3);
    await of("t", batch);
    unrecognised(batch);

    expect(await of("t", batch)).toEqual(identity(2n, 0));
  });

  it("share one request for an identity, which is repeated after a failure", async () => {
    let requests = 0;
    const { of } = createSequences(() => {
      requests += 1;
      return requests === 1
        ? Promise.reject(new TypeError("away"))
        : Promise.resolve({ producerId: 9n, epoch: 1 });
    });
    const both = [of("t", batchOf(0, 1)), of("t", batchOf(1, 1))];

    expect((await Promise.allSettled(both)).map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    expect(await of("t", batchOf(0, 1))).toEqual({ producerId: 9n, epoch: 1, baseSequence: 0 });
    expect(requests).toBe(2);
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

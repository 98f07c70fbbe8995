import { createDiskSpace, type DiskSpace } from "../../../src/broker/embedded/disk-space.ts";

const MIB = 1024 * 1024;

interface Disk {
  readonly space: DiskSpace;
  free: number;
  asked: number;
}

const diskWith = (free: number, reusableBytes = 0): Disk => {
  const answers = { free, asked: 0 };
  const freeBytes = (): Promise<number> => {
    answers.asked += 1;
    return Promise.resolve(answers.free);
  };
  return Object.assign(answers, {
    space: createDiskSpace({
      ...{ directory: "/log", minFree: 8 * MIB, freeBytes },
      reusableBytes: () => reusableBytes,
    }),
  });
};

describe("the space of a log's disk", () => {
  it("admits a commit if twice its bytes leave minFree, and refuses it for one byte more", async () => {
    const disk = diskWith(10 * MIB);

    await disk.space.demand(MIB);
    await expect(disk.space.demand(MIB + 1)).rejects.toMatchObject({
      code: "BROKER_UNAVAILABLE",
      retryAfter: 1,
      cause:
        "the disk under /log is full: 10.0 MiB are free, " +
        "a commit needs 2.0 MiB and must leave 8.0 MiB (broker.embedded.minFree)",
    });
  });

  it("is read before each commit while it is small, and at most every 100 ms while it is large", async () => {
    const little = diskWith(50 * MIB);
    for (let commit = 0; commit < 20; commit += 1) await little.space.demand(1000);
    expect(little.asked).toBe(20);

    const plenty = diskWith(1000 * MIB);
    const begun = performance.now();
    for (let commit = 0; commit < 20; commit += 1) await plenty.space.demand(1000);
    // At most once per 100 ms of the loop's duration.
    expect(plenty.asked).toBeLessThanOrEqual(1 + Math.ceil((performance.now() - begun) / 100));
  });

  it("is read again once the commits since the last reading may have used it up", async () => {
    const disk = diskWith(200 * MIB);
    await disk.space.demand(1000);
    disk.free = 9 * MIB;

    await expect(disk.space.demand(70 * MIB)).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
  });

  it("is reported as full until there is space for the refused commit", async () => {
    const disk = diskWith(8.5 * MIB);
    await disk.space.check();
    await expect(disk.space.demand(MIB / 2)).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
    await disk.space.demand(1000);

    await expect(disk.space.check()).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
    disk.free = 9 * MIB;
    await disk.space.check();
    disk.free = 8.5 * MIB;
    await disk.space.check();
  });

  it("admits positions and freeing on a full disk, and leaves them a part of the reserve each", async () => {
    const disk = diskWith(0);
    const rooms = await Promise.all(
      (["freeing", "positions"] as const).map((purpose) => disk.space.demand(1000, purpose)),
    );
    const ofRecords = await diskWith(100 * MIB).space.demand(1000);

    const standing = [...rooms, ofRecords].map((room) => room.standing);
    expect(standing[0]).toBe(0);
    expect(standing).toEqual([...new Set(standing)].sort((one, other) => one - other));
  });

  it("admits records on a full disk if many pages of the file are free", async () => {
    const disk = diskWith(5 * MIB, 5 * MIB);
    expect(await disk.space.demand(MIB / 2)).toMatchObject({ allocatable: MIB, ahead: 0 });
    await disk.space.check();

    await expect(disk.space.demand(MIB / 2 + 1)).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
    await expect(disk.space.check()).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE" });
  });

  it("counts as used up while the file system gives no answer", async () => {
    const fault = new Error("EIO");
    const space = createDiskSpace({
      directory: "/log",
      minFree: 0,
      freeBytes: () => Promise.reject(fault),
    });

    await expect(space.demand(1)).rejects.toMatchObject({ code: "BROKER_UNAVAILABLE", cause: fault });
  });
});

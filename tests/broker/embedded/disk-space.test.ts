import { mkdtemp, open, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { createDiskSpace, type DiskSpace, openReserve } from "../../../src/broker/embedded/disk-space.ts";

const MIB = 1024 * 1024;

interface Disk {
  readonly space: DiskSpace;
  free: number;
  asked: number;
}

const diskWith = (free: number): Disk => {
  const answers = { free, asked: 0 };
  const freeBytes = (): Promise<number> => {
    answers.asked += 1;
    return Promise.resolve(answers.free);
  };
  return Object.assign(answers, {
    space: createDiskSpace({ directory: "/log", minFree: 8 * MIB, freeBytes }),
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

describe("the reserve of a log's file", () => {
  let dir: string;
  let file: string;
  beforeEach(async () => {
    dir = await mkdtemp(path.join(tmpdir(), "stationgate-reserve-"));
    file = path.join(dir, "log");
    await writeFile(file, "x".repeat(10_000));
  });
  afterEach(() => rm(dir, { recursive: true }));

  it("allocates twice a commit's bytes before the commit, and doesn't change written bytes", async () => {
    const reserve = await openReserve({ file, usedBytes: () => 10_000 });
    await reserve.cover(MIB, 0);
    const { size, blocks } = await stat(file);

    expect(size).toBeGreaterThanOrEqual(10_000 + 2 * MIB);
    expect(blocks * 512).toBeGreaterThanOrEqual(size);
    const handle = await open(file);
    const { buffer } = await handle.read(Buffer.alloc(10_001), 0, 10_001, 0);
    await handle.close();
    expect(buffer.toString()).toBe(`${"x".repeat(10_000)}\0`);
    await reserve.close(10_000);
    expect((await stat(file)).size).toBe(10_000);
  });

  it("allocates more than a commit needs only from the remaining space", async () => {
    let usedBytes = 10_000;
    const reserve = await openReserve({ file, usedBytes: () => usedBytes });
    await reserve.cover(1000, 0);
    const least = (await stat(file)).size;
    usedBytes = least;
    await reserve.cover(1000, 100 * MIB);
    const more = (await stat(file)).size;
    await reserve.close(10_000);

    expect(least).toBeLessThan(100_000);
    expect(more).toBeGreaterThan(least + MIB);
  });
});

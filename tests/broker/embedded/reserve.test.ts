import { mkdtemp, open, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { openReserve, type Room, STANDING } from "../../../src/broker/embedded/reserve.ts";

const MIB = 1024 * 1024;

const room = (given: Partial<Room> = {}): Room => ({
  allocatable: Infinity,
  ahead: 0,
  standing: 0,
  ...given,
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
    await reserve.cover(MIB, room());
    const { size, blocks } = await stat(file);

    expect(size).toBeGreaterThanOrEqual(10_000 + 2 * MIB);
    expect(blocks * 512).toBeGreaterThanOrEqual(size);
    const handle = await open(file);
    const { buffer } = await handle.read(Buffer.alloc(10_001), 0, 10_001, 0);
    await handle.close();
    expect(buffer.toString()).toBe(`${"x".repeat(10_000)}\0`);
    await reserve.cover(10 * MIB, room());
    await reserve.close(10_000);
    expect((await stat(file)).size).toBe(10_000 + STANDING);
  });

  it("allocates more than a commit needs only from the remaining space", async () => {
    let usedBytes = 10_000;
    const reserve = await openReserve({ file, usedBytes: () => usedBytes });
    await reserve.cover(1000, room());
    const least = (await stat(file)).size;
    usedBytes = least;
    await reserve.cover(1000, room({ ahead: 100 * MIB }));
    const more = (await stat(file)).size;
    await reserve.close(10_000);

    expect(least).toBeLessThan(100_000);
    expect(more).toBeGreaterThan(least + MIB);
  });

  it("allocates the standing part once, and commits that must leave it don't use it", async () => {
    const reserve = await openReserve({ file, usedBytes: () => 10_000 });
    const leaving = room({ standing: MIB });
    await reserve.cover(1000, leaving);
    const { size } = await stat(file);
    await reserve.cover(1000, leaving);
    await reserve.close(10_000);

    expect(size).toBeGreaterThan(10_000 + MIB);
    expect((await stat(file)).size).toBe(size);
  });

  it("covers a commit that may use the standing part without the disk, and refuses one that may not", async () => {
    let usedBytes = 10_000;
    const reserve = await openReserve({ file, usedBytes: () => usedBytes });
    await reserve.cover(1000, room({ standing: MIB }));
    // LMDB has written to all pages but those of the standing part.
    usedBytes = (await stat(file)).size - MIB;
    const full = { code: "BROKER_UNAVAILABLE" };
    const nothing = { allocatable: 0, ahead: 0 };

    for (const act of [reserve.check, reserve.cover])
      await expect(act(1000, { ...nothing, standing: MIB })).rejects.toMatchObject(full);
    await reserve.cover(1000, { ...nothing, standing: 0 });
    await reserve.close(usedBytes);
  });
});

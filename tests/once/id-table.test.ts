import { createHash, randomBytes } from "node:crypto";
import { IdTable, type StoredId } from "../../src/once/id-table.ts";
import { SlotIds } from "../../src/once/slot-ids.ts";

const digestOf = (name: string): Buffer => createHash("sha256").update(name).digest().subarray(0, 16);

const stored = (offset: number, changes: Partial<StoredId> = {}): StoredId => ({
  partition: 3,
  offset,
  began: 1_700_000_000_000,
  ends: 1_700_000_060_000,
  request: 0xfffffff0,
  payload: undefined,
  ...changes,
});
const NOW = 1_700_000_000_000;

describe("IdTable", () => {
  it("returns what was put, for the largest values too", () => {
    const table = new IdTable();
    const value = stored(Number.MAX_SAFE_INTEGER, { partition: 0xffffffff, payload: randomBytes(8) });
    table.put(digestOf("a"), value, NOW);
    expect(table.get(digestOf("a"), NOW)).toEqual(value);
    expect(table.get(digestOf("b"), NOW)).toBeUndefined();
  });

  it("does not know an id whose window is past", () => {
    const table = new IdTable();
    table.put(digestOf("a"), stored(1), NOW);
    expect(table.get(digestOf("a"), NOW + 59_999)?.offset).toBe(1);
    expect(table.get(digestOf("a"), NOW + 60_000)).toBeUndefined();
    table.forgetPast(NOW + 60_000);
    expect(table.size).toBe(0);
  });

  it("has the same ids as a Map after any puts and forgets", () => {
    const table = new IdTable();
    const queue: { name: string; offset: number }[] = [];
    const known = new Map<string, number>();
    for (let step = 0; step < 30_000; step += 1) {
      if (step % 3 === 2 || queue.length > 2500) {
        const oldest = queue.shift();
        table.forgetOldest();
        if (oldest !== undefined && known.get(oldest.name) === oldest.offset) known.delete(oldest.name);
      } else {
        const name = `id ${Math.floor(Math.random() * 4000)}`;
        queue.push({ name, offset: step });
        known.set(name, step);
        table.put(digestOf(name), stored(step), NOW);
      }
    }
    expect(table.size).toBe(queue.length);
    for (let id = 0; id < 4000; id += 1) {
      expect(table.get(digestOf(`id ${id}`), NOW)?.offset).toBe(known.get(`id ${id}`));
    }
  });

  it("finds ids whose digests begin with the same bytes", () => {
    const table = new IdTable();
    const digests = Array.from({ length: 100 }, () => Buffer.concat([Buffer.alloc(8, 7), randomBytes(8)]));
    digests.forEach((digest, offset) => {
      table.put(digest, stored(offset), NOW);
    });
    for (let forgotten = 0; forgotten < 50; forgotten += 1) table.forgetOldest();
    expect(digests.map((digest) => table.get(digest, NOW)?.offset)).toEqual(
      digests.map((_, offset) => (offset < 50 ? undefined : offset)),
    );
  });

  it("holds a million ids in at most 64 bytes each, at every size on the way", () => {
    const table = new IdTable();
    const digests = Array.from({ length: 1000 }, () => randomBytes(16_000));
    const before = process.memoryUsage().arrayBuffers;
    const began = process.cpuUsage();
    let worst = 0;
    for (const bytes of digests) {
      for (let at = 0; at < bytes.length; at += 16) table.put(bytes.subarray(at, at + 16), stored(at), NOW);
      if (table.size >= 10_000) worst = Math.max(worst, table.bytes / table.size);
    }
    const { user } = process.cpuUsage(began);
    expect(table.size).toBe(1_000_000);
    expect(worst).toBeLessThanOrEqual(64);
    globalThis.gc?.();
    const allocated = process.memoryUsage().arrayBuffers - before;
    process.stderr.write(
      `a million ids: ${Math.round(user / 1000)} ms of CPU, ${(table.bytes / 1e6).toFixed(1)} bytes an id, ` +
        `at most ${worst.toFixed(1)}, allocated ${(allocated / 1e6).toFixed(1)}\n`,
    );
  });

  it("gives the memory of forgotten ids back", () => {
    const table = new IdTable();
    for (let id = 0; id < 10_000; id += 1) table.put(randomBytes(16), stored(id), NOW);
    const full = table.bytes;
    for (let id = 0; id < 9000; id += 1) table.forgetOldest();
    expect(table.bytes).toBeLessThan(full / 2.5);
  });
});

describe("SlotIds", () => {
  it("forgets the oldest ids above the share", () => {
    const ids = new SlotIds(10);
    for (let id = 0; id < 15; id += 1)
      ids.put("event", digestOf(`${id}`), stored(id, { began: NOW + id }), NOW);
    expect(ids.size).toBe(10);
    expect(ids.get("event", digestOf("4"), NOW)).toBeUndefined();
    expect(ids.get("event", digestOf("5"), NOW)?.offset).toBe(5);
    expect(ids.effectiveWindow(NOW + 15)).toBe(10);
  });

  it("keeps half of the share for calls, however many events come", () => {
    const ids = new SlotIds(10);
    for (let id = 0; id < 8; id += 1) ids.put("call", digestOf(`call ${id}`), stored(id), NOW);
    for (let id = 0; id < 100; id += 1) ids.put("event", digestOf(`${id}`), stored(id), NOW);
    const calls = Array.from({ length: 8 }, (_, id) => ids.get("call", digestOf(`call ${id}`), NOW)?.offset);
    expect(calls).toEqual([undefined, undefined, undefined, 3, 4, 5, 6, 7]);
    expect(ids.effectiveWindow(NOW)).toBeDefined();
  });

  it("has no effective window of its own while there is room", () => {
    const ids = new SlotIds(10);
    ids.put("call", digestOf("a"), stored(1), NOW);
    expect(ids.effectiveWindow(NOW)).toBeUndefined();
  });
});

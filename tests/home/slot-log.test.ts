import fc from "fast-check";
import { SlotLogWriter, type SlotLogOptions } from "../../src/home/slot-log.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { createPartition, type Fate, type Partition, SLOT, TOPIC } from "./partition.ts";

const clock = createFakeClock();
const turn = (): Promise<void> => new Promise(setImmediate);

interface Holder {
  readonly log: SlotLogWriter;
  readonly lose: () => void;
}

const holderOn = (partition: Partition, more: Partial<SlotLogOptions> = {}): Holder => {
  const lost = new AbortController();
  const log = new SlotLogWriter({
    broker: partition.broker,
    clock,
    topic: TOPIC,
    slot: SLOT,
    processId: "p",
    mayFence: () => true,
    confirm: () => Promise.resolve(true),
    signal: lost.signal,
    ...more,
  });
  return {
    log,
    lose: () => {
      lost.abort();
    },
  };
};

const living = async (log: SlotLogWriter): Promise<Record<string, string>> => {
  const found = await log.enter();
  if (typeof found === "string") return { ended: found };
  return Object.fromEntries([...found].map(([name, value]) => [name, String(value)]));
};
const put = (log: SlotLogWriter, name: string, value: string | null): Promise<void> =>
  log.put([{ name, value: value === null ? null : Buffer.from(value) }]);
const code = (error: unknown): unknown => (error as { code?: unknown }).code;
const keys = (partition: Partition): string[] => partition.records.map(({ key }) => String(key));

/** The next append has this fate; later appends are stored. */
const once = (partition: Partition, fate: Fate): void => {
  partition.fate = () => {
    partition.fate = () => "stored";
    return fate;
  };
};

it("gives the next holder what was put, without what was deleted", async () => {
  const partition = createPartition();
  const { log } = holderOn(partition);
  expect(await living(log)).toEqual({});
  await put(log, "a", "1");
  await put(log, "b/with slash", "2");
  await put(log, "a", null);
  await put(log, "b/with slash", "3");
  expect(await living(holderOn(partition).log)).toEqual({ "b/with slash": "3" });
});

it("does not count what a former holder appends after the fence of the next one", async () => {
  const partition = createPartition();
  const former = holderOn(partition, { confirm: () => Promise.resolve(false) });
  await former.log.enter();
  await put(former.log, "a", "1");
  const next = holderOn(partition);
  expect(await living(next.log)).toEqual({ a: "1" });

  const late = put(former.log, "a", "late");
  await former.log.stale();
  expect(await living(former.log)).toEqual({ ended: "moved" });
  former.lose();
  await expect(late).rejects.toMatchObject({ code: "SLOT_MOVED" });
  expect(await living(holderOn(partition).log)).toEqual({ a: "1" });
});

it("fences again behind the late fence of a former holder, and answers the put by what counts", async () => {
  const partition = createPartition();
  const { log } = holderOn(partition);
  await log.enter();
  await put(log, "a", "1");
  await holderOn(partition).log.enter();

  const second = put(log, "a", "2").then(() => "stored", code);
  await log.stale();
  expect(await living(log)).toEqual({ a: "1" });
  expect(await second).toBe("BROKER_UNAVAILABLE");
  await put(log, "a", "3");
  expect(await living(holderOn(partition).log)).toEqual({ a: "3" });
});

it.each([
  ["unanswered", "stored", { a: "1" }],
  ["lost", "BROKER_UNAVAILABLE", {}],
  ["late", "BROKER_UNAVAILABLE", {}],
  ["unavailable", "BROKER_UNAVAILABLE", {}],
] as const)("answers what is true after an append that is %s", async (fate, answer, records) => {
  const partition = createPartition();
  const { log } = holderOn(partition);
  await log.enter();
  once(partition, fate);
  const stored = put(log, "a", "1").then(() => "stored", code);
  await log.stale();
  expect(await living(log)).toEqual(records);
  expect(await stored).toBe(answer);
  partition.deliverLate();
  expect(await living(holderOn(partition).log)).toEqual(records);
});

it("rejects a put of which a record is refused, and goes on", async () => {
  const partition = createPartition();
  const { log } = holderOn(partition);
  await log.enter();
  once(partition, "refused");
  await expect(put(log, "a", "1")).rejects.toMatchObject({ code: "RECORD_TOO_LARGE" });
  await put(log, "b", "2");
  expect(await living(holderOn(partition).log)).toEqual({ b: "2" });
});

it("reads up to its fence although a broker reports an old end", async () => {
  const partition = createPartition();
  const first = holderOn(partition);
  await first.log.enter();
  await put(first.log, "a", "1");
  let old = 5;
  partition.readsNothing = () => (old -= 1) > 0;
  expect(await living(holderOn(partition).log)).toEqual({ a: "1" });
});

it("fences only after an answered heartbeat", async () => {
  const partition = createPartition();
  const silent = { mayFence: () => false, confirm: () => Promise.resolve(false) };
  expect(await living(holderOn(partition, silent).log)).toEqual({ ended: "moved" });
  expect(partition.records).toEqual([]);
});

it("deletes the keys of former holders: records first, then fences by which no record counts, then the others", async () => {
  const partition = createPartition();
  const first = holderOn(partition);
  await first.log.enter();
  await put(first.log, "a", "1");
  const second = holderOn(partition);
  await second.log.enter();
  const late = put(first.log, "a", "late").catch(code);
  await first.log.stale();
  first.lose();
  expect(await late).toBe("SLOT_MOVED");
  await put(second.log, "b", "2");
  const before = partition.records.length;
  await holderOn(partition).log.enter();
  const deleted = partition.records.slice(before).filter(({ value }) => value === null);
  expect(deleted.map(({ key }) => String(key).split("/")[0])).toEqual(
    [...deleted.map(({ key }) => String(key).split("/")[0])].sort().reverse(),
  );
  partition.compactWhole();
  expect(keys(partition).map((key) => key.replace(/\/[^/]+/, ""))).toEqual(["fence", "record/a", "record/b"]);
});

it("gives the slot up after 30 s in which no append succeeds while heartbeats are answered", async () => {
  const partition = createPartition();
  partition.fate = () => "unavailable";
  let ended: unknown;
  void holderOn(partition)
    .log.enter()
    .then((end) => (ended = end));
  for (let ms = 0; ms < 29_500; ms += 500) {
    await turn();
    clock.advance(500);
  }
  await turn();
  expect(ended).toBeUndefined();
  clock.advance(500);
  await turn();
  expect(ended).toBe("unusable");
});

it("begins anew if the topic was deleted and created again", async () => {
  const old = createPartition();
  const { log } = holderOn({ ...old, broker: { ...old.broker } });
  await log.enter();
  await put(log, "a", "1");
  const anew = createPartition();
  let current = old;
  const moving = holderOn({
    ...old,
    broker: {
      append: (...args) => current.broker.append(...args),
      read: (...args) => current.broker.read(...args),
      watermarks: (...args) => current.broker.watermarks(...args),
    },
  });
  expect(await living(moving.log)).toEqual({ a: "1" });
  current = anew;
  const second = put(moving.log, "b", "2").then(() => "stored", code);
  await moving.log.stale();
  expect(await living(moving.log)).toEqual({});
  expect(await second).toBe("BROKER_UNAVAILABLE");
});

/** A reproducible source of random numbers. */
const randomFrom = (seed: number): ((below: number) => number) => {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return Math.floor(((state >>> 0) / 2 ** 32) * below);
  };
};
const FATES: readonly Fate[] = ["unanswered", "lost", "unavailable", "late", "late"];

/** Possible values of a name. One client changes it, and waits for each answer. */
interface Known {
  possible: readonly (string | null)[];
  busy: boolean;
}

/** Random holders, faults and compactions; checks that the log has what was answered, and returns a fault of the log. */
const history = async (seed: number): Promise<unknown> => {
  const random = randomFrom(seed);
  const ownClock = createFakeClock();
  const partition = createPartition();
  const names = new Map<string, Known>();
  const holders: Holder[] = [];
  let current: Holder | undefined;
  // The topic's compaction lag: a holder has written everything again before its older records are compacted.
  let written = 0n;
  let value = 0;
  let calm = false;
  partition.fate = () => (!calm && random(8) === 0 ? (FATES[random(FATES.length)] ?? "stored") : "stored");
  partition.readsNothing = () => random(5) === 0;

  const take = (): void => {
    const holder: Holder = holderOn(partition, {
      clock: ownClock,
      mayFence: () => current === holder,
      confirm: () => Promise.resolve(current === holder),
    });
    current = holder;
    holders.push(holder);
    const serve = async (): Promise<void> => {
      while (typeof (await holder.log.enter()) !== "string") {
        if (current === holder) written = partition.end;
        await holder.log.stale();
      }
      holder.lose();
    };
    void serve();
  };
  const change = (): void => {
    const name = `n${random(3)}`;
    const known = names.get(name) ?? { possible: [null], busy: false };
    names.set(name, known);
    // Also a holder that does not know yet that it is one no more.
    const holder = random(4) === 0 ? holders[random(holders.length)] : current;
    if (known.busy || holder === undefined) return;
    known.busy = true;
    const next = random(3) === 0 ? null : `v${(value += 1)}`;
    put(holder.log, name, next).then(
      () => {
        known.possible = [next];
        known.busy = false;
      },
      (error: unknown) => {
        if (code(error) !== "BROKER_UNAVAILABLE") known.possible = [...known.possible, next];
        known.busy = false;
      },
    );
  };
  const steps = [
    take,
    change,
    change,
    change,
    change,
    () => {
      partition.deliverLate();
    },
    () => {
      partition.compact(written);
    },
  ];
  for (let step = 0; step < 60; step += 1) {
    steps[random(steps.length)]?.();
    if (random(2) === 0) await turn();
    ownClock.advance(random(400));
  }
  calm = true;
  take();
  for (let step = 0; step < 10; step += 1) {
    await turn();
    ownClock.advance(500);
  }
  for (const { lose } of holders) lose();
  await turn();
  partition.compactWhole();
  const last = await living(holderOn(partition).log);
  const wrong = [...names].filter(([name, { possible }]) => !possible.includes(last[name] ?? null));
  return wrong.length === 0 ? undefined : { wrong, last };
};

it("has every answered record in any history of holders, faults and compactions", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer(), async (seed) => {
      expect(await history(seed)).toBeUndefined();
    }),
    { numRuns: 150 },
  );
});

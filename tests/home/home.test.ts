import { type Process, SESSION_MS, World } from "./world.ts";

const SLOTS = 6;

const isServed = (world: World): boolean =>
  Array.from({ length: world.slots }, (_, slot) => world.serving(slot).length).every((count) => count === 1);
const held = (world: World, process: Process): number =>
  Array.from({ length: world.slots }, (_, slot) => world.serving(slot).includes(process)).filter(Boolean)
    .length;
const slotsOf = (world: World, process: Process): number[] =>
  Array.from({ length: world.slots }, (_, slot) => slot).filter((slot) => process.home.holds(slot));

/** A name whose slot this process holds. */
const nameOf = (process: Process): string => {
  for (let number = 0; ; number += 1) {
    const name = `n${number}`;
    if (process.home.holds(process.home.slotOf(name))) return name;
  }
};
const outcome = (work: Promise<void>): { text: string } => {
  const result = { text: "waits" };
  work.then(
    () => (result.text = "stored"),
    (error: unknown) => (result.text = (error as { code: string }).code),
  );
  return result;
};

const worldWith = async (count: number): Promise<World> => {
  const world = new World(SLOTS);
  for (let started = 0; started < count; started += 1) {
    world.start();
    await world.run(3000);
  }
  await world.until(
    () => isServed(world) && world.processes.every((one) => held(world, one) === SLOTS / count),
  );
  return world;
};

it("holds all slots in the first process and serves calls", async () => {
  const world = await worldWith(1);
  const [process] = world.processes as [Process];
  const stored = outcome(world.put(process, "a", "1"));
  await world.run(1000);
  expect(stored.text).toBe("stored");
});

it("hands slots over to a new process without a failed call, and prepares their names before", async () => {
  const world = await worldWith(1);
  const [first] = world.processes as [Process];
  for (let number = 0; number < 20; number += 1) outcome(world.put(first, `n${number}`, "1"));
  await world.run(1000);
  const second = world.start();
  const outcomes: { text: string }[] = [];
  for (let number = 0; number < 200; number += 1) {
    outcomes.push(outcome(world.put(number % 2 === 1 ? second : first, `n${number}`, "2")));
    await world.run(50);
  }
  await world.run(10_000);
  expect(new Set(outcomes.map(({ text }) => text))).toEqual(new Set(["stored"]));
  expect([held(world, first), held(world, second)]).toEqual([3, 3]);
  expect(second.service.counts.prepared).toBeGreaterThan(0);
  expect(first.service.counts).toMatchObject({ lost: 0, handedOver: 3 });
});

it("hands all slots over before the process leaves, without a failed call", async () => {
  const world = await worldWith(3);
  const [first, second, third] = world.processes as [Process, Process, Process];
  let isDrained = false;
  void first.home.drain().then(() => (isDrained = true));
  const outcomes: { text: string }[] = [];
  for (let number = 0; number < 200; number += 1) {
    outcomes.push(outcome(world.put([first, second, third][number % 3] ?? first, `n${number}`, "2")));
    await world.run(50);
  }
  expect(isDrained).toBe(true);
  expect(new Set(outcomes.map(({ text }) => text))).toEqual(new Set(["stored"]));
  expect([held(world, second), held(world, third)]).toEqual([3, 3]);
});

it("ends alone without waiting for a next process", async () => {
  const world = await worldWith(1);
  const [only] = world.processes as [Process];
  let isDrained = false;
  void only.home.drain().then(() => (isDrained = true));
  await world.run(3000);
  expect(isDrained).toBe(true);
});

it("gives the slots of a killed process to another one within 15 s, and calls get 503 until then", async () => {
  const world = await worldWith(2);
  const [killed, other] = world.processes as [Process, Process];
  const name = nameOf(killed);
  world.kill(killed);
  const early = outcome(world.put(other, name, "1"));
  await world.run(7900);
  expect(early.text).toBe("waits");
  await world.run(200);
  expect(early.text).toBe("HOME_UNAVAILABLE");
  const late = outcome(world.put(other, name, "2", 10_000));
  await world.run(6900);
  expect(late.text).toBe("stored");
});

it("serves nothing in a process that was frozen until it has a new session, and then soon", async () => {
  const world = await worldWith(2);
  const [frozen, other] = world.processes as [Process, Process];
  const name = nameOf(frozen);
  frozen.isFrozen = true;
  await world.run(30_000);
  expect(isServed(world)).toBe(true);
  expect(held(world, other)).toBe(SLOTS);
  frozen.isFrozen = false;
  expect(slotsOf(world, frozen)).toEqual([]);
  const stored = outcome(world.put(frozen, name, "1"));
  await world.run(8000);
  expect(stored.text).toBe("stored");
  await world.until(() => held(world, frozen) === 3, 10_000);
  expect(frozen.service.counts.lost).toBe(3);
});

it("answers 503 while Kafka is away, and goes on by itself", async () => {
  const world = await worldWith(2);
  const [first, second] = world.processes as [Process, Process];
  for (const process of world.processes) process.isCutFromKafka = true;
  await world.run(SESSION_MS);
  expect([slotsOf(world, first), slotsOf(world, second)]).toEqual([[], []]);
  const refused = outcome(world.put(first, "a", "1"));
  await world.run(9000);
  expect(refused.text).toBe("HOME_UNAVAILABLE");
  for (const process of world.processes) process.isCutFromKafka = false;
  await world.until(() => isServed(world), 30_000);
  const stored = outcome(world.put(first, "a", "2"));
  await world.run(2000);
  expect(stored.text).toBe("stored");
});

it("answers 503 after 5 s for calls across a cut network, and serves direct calls", async () => {
  const world = await worldWith(2);
  const [first, second] = world.processes as [Process, Process];
  world.cuts.add("p0,p1");
  const across = outcome(world.put(first, nameOf(second), "1"));
  const direct = outcome(world.put(first, nameOf(first), "1"));
  await world.run(1000);
  expect([across.text, direct.text]).toEqual(["waits", "stored"]);
  await world.run(4500);
  expect(across.text).toBe("HOME_UNAVAILABLE");
  expect(isServed(world)).toBe(true);
});

it("gives a slot to another process if this one can't append to it for 30 s", async () => {
  const world = await worldWith(2);
  const [first, second] = world.processes as [Process, Process];
  const name = nameOf(first);
  const slot = first.home.slotOf(name);
  world.brokenFor.set(first, new Set([slot]));
  outcome(world.put(first, name, "1"));
  await world.run(29_000);
  expect(first.home.holds(slot)).toBe(true);
  await world.until(() => world.serving(slot).includes(second), 10_000);
  await world.run(15_000);
  expect([held(world, first), held(world, second)]).toEqual([3, 3]);
});

it("answers 503 after 8 s while the home can't read its slot, at the home and at another process", async () => {
  const world = new World(1);
  const first = world.start();
  world.brokenFor.set(first, new Set([0]));
  await world.run(3000);
  const second = world.start();
  await world.run(3000);
  const outcomes = [first, second].map((process) => outcome(world.put(process, "a", "1", 1000)));
  await world.run(7000);
  expect(outcomes.map(({ text }) => text)).toEqual(["waits", "waits"]);
  await world.run(4000);
  expect(outcomes.map(({ text }) => text)).toEqual(["HOME_UNAVAILABLE", "HOME_UNAVAILABLE"]);
});

it("keeps a slot whose handing over takes too long when a rebalance begins", async () => {
  const world = await worldWith(1);
  const [first] = world.processes as [Process];
  first.service.slow.close = 6000;
  const second = world.start();
  await world.until(() => first.service.counts.opened === SLOTS && !first.service.isOpen(5));
  world.start();
  await world.run(30_000);
  first.service.slow.close = 5;
  await world.until(() => isServed(world) && held(world, second) === 2 && held(world, first) === 2);
  expect(first.service.counts.lost).toBe(0);
});

it("is fresh in a part of the session timeout only while a heartbeat of this time is answered", async () => {
  const world = await worldWith(1);
  const [{ home }] = world.processes as [Process];
  expect([home.isFresh(0.5), home.isFresh(1)]).toEqual([true, true]);
  for (const process of world.processes) process.isCutFromKafka = true;
  await world.run(0.7 * SESSION_MS);
  expect([home.isFresh(0.5), home.isFresh(1)]).toEqual([false, true]);
  await world.run(0.5 * SESSION_MS);
  expect([home.isFresh(0.5), home.isFresh(1)]).toEqual([false, false]);
});

it("passes a call for a slot on to the process that holds it", async () => {
  const world = await worldWith(2);
  const [first, second] = world.processes as [Process, Process];
  const [slot = -1] = slotsOf(world, second);
  const { served } = second.service.counts;
  const answered = first.home.callSlot(slot, {
    path: "/put",
    body: Buffer.from(JSON.stringify({ name: "any", value: "1" })),
    waitMs: 0,
    signal: new AbortController().signal,
  });
  await world.run(1000);
  (await answered).ended(true);
  expect(second.service.counts.served).toBe(served + 1);
});

it("tries a call once at the process that most likely holds the slot", async () => {
  const world = await worldWith(2);
  const [first, second] = world.processes as [Process, Process];
  const [slot = -1] = slotsOf(world, second);
  const [own = -1] = slotsOf(world, first);
  expect([first.home.likelyHome(own), first.home.likelyHome(slot)]).toEqual([first.home.id, second.home.id]);
  const call = {
    path: "/put",
    body: Buffer.from(JSON.stringify({ name: "any", value: "1" })),
    waitMs: 0,
    signal: new AbortController().signal,
  };
  const answered = first.home.tryCall(slot, call);
  await world.run(1000);
  (await answered)?.ended(true);
  expect((await answered)?.status).toBe(200);
  world.kill(second);
  const unanswered = first.home.tryCall(slot, call);
  await world.run(1000);
  expect(await unanswered).toBeUndefined();
});

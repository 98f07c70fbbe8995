import { settingsSchema } from "../../src/config/schema/schema.ts";
import { createFleet } from "../../src/cluster/fleet.ts";
import type { FleetWorker } from "../../src/cluster/reload-calls.ts";
import type { ToWorker } from "../../src/cluster/messages.ts";
import { createFakeClock } from "../support/fake-clock.ts";

const settings = settingsSchema.parse({});
const attempt = (number: number) => ({ attempt: number, settings, tls: {} });
const STATUS = { generation: 1, loadedAt: "2026-01-01T00:00:00.000Z", needsRestart: [] };

/** Lets promises settle that wait for nothing else. */
const turns = async (): Promise<void> => {
  for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
};

const setUp = (workers = 2) => {
  const clock = createFakeClock();
  const told: string[] = [];
  const serving: FleetWorker[] = [];
  const fleet = createFleet({
    clock,
    first: attempt(0),
    status: STATUS,
    // The supervisor makes new objects for each call.
    serving: () => serving.map((worker) => ({ ...worker })),
    settingsOf: (all, slot) => ({ ...all, reading: { ...all.reading, maxGroups: slot } }),
  });

  /** Says what the worker says by itself: ready to swap, and swapped. */
  const willing = (worker: FleetWorker, message: ToWorker): void => {
    if (message.type === "prepare")
      fleet.onMessage(worker, { type: "prepared", attempt: message.attempt, fault: undefined });
    if (message.type === "swap") fleet.onMessage(worker, { type: "swapped", attempt: message.attempt });
  };

  let ids = 0;
  const create = (slot: number, answer: typeof willing = willing): FleetWorker => {
    const id = ++ids;
    const worker: FleetWorker = {
      ...{ id, slot },
      tell: (message) => {
        told.push(`${message.type}${"attempt" in message ? ` ${message.attempt}` : ""} to ${id}`);
        queueMicrotask(() => {
          answer(worker, message);
        });
      },
      kill: () => {
        told.push(`kill ${id}`);
        serving.splice(serving.indexOf(worker), serving.includes(worker) ? 1 : 0);
        fleet.onEnd(worker);
      },
    };
    return worker;
  };
  const start = (slot: number, answer?: typeof willing): FleetWorker => {
    const worker = create(slot, answer);
    fleet.begin(worker);
    serving.push(worker);
    return worker;
  };
  const all = Array.from({ length: workers }, (_, index) => start(index + 1));
  told.length = 0;
  return { fleet, clock, told, serving, create, start, willing, all };
};

const silent = (): void => undefined;

it("prepares all workers before it swaps any of them", async () => {
  const { fleet, told } = setUp();

  expect(await fleet.prepare(attempt(1))).toEqual([]);
  expect(await fleet.swap(1)).toBe(2);
  expect(told).toEqual(["prepare 1 to 1", "prepare 1 to 2", "swap 1 to 1", "swap 1 to 2"]);
});

it("gives each worker the settings of its slot", async () => {
  const { fleet, start } = setUp(0);
  const seen: number[] = [];
  for (const slot of [1, 2])
    start(slot, (worker, message) => {
      if (message.type !== "prepare") return;
      seen.push(message.settings.reading.maxGroups);
      fleet.onMessage(worker, { type: "prepared", attempt: 1, fault: undefined });
    });
  await fleet.prepare(attempt(1));

  expect(seen).toEqual([1, 2]);
});

it("names the worker that can't prepare, and discards what the others have", async () => {
  const { fleet, told, start } = setUp(1);
  start(2, (worker, message) => {
    if (message.type === "prepare")
      fleet.onMessage(worker, { type: "prepared", attempt: message.attempt, fault: "no broker" });
  });
  told.length = 0;

  expect(await fleet.prepare(attempt(1))).toEqual(["worker 2: no broker"]);

  fleet.discard(1);

  expect(told.slice(2)).toEqual(["discard 1 to 1", "discard 1 to 2"]);
  expect(await fleet.swap(1)).toBe(0);
});

it("kills a worker that says nothing for 5 s while it prepares, and swaps the others", async () => {
  const { fleet, clock, told, start } = setUp(1);
  start(2, silent);
  const prepared = fleet.prepare(attempt(1));
  await turns();
  clock.advance(4999);
  await turns();

  expect(told).not.toContain("kill 2");

  clock.advance(1);

  expect(await prepared).toEqual([]);
  expect(told).toContain("kill 2");
  expect(await fleet.swap(1)).toBe(1);
});

it("kills no worker if none can serve with the new settings", async () => {
  const { fleet, clock, told, start } = setUp(0);
  start(1, silent);
  start(2, silent);
  const prepared = fleet.prepare(attempt(1));
  await turns();
  clock.advance(5000);

  const text = "it sent nothing for 5 s, and no worker is ready";
  expect(await prepared).toEqual([`worker 1: ${text}`, `worker 2: ${text}`]);
  expect(told.filter((line) => line.startsWith("kill"))).toEqual([]);
});

describe("workers that are all silent again", () => {
  /** Runs an attempt that fails. The workers answer nothing. */
  const failIn = async ({ fleet, clock }: ReturnType<typeof setUp>, number: number) => {
    const prepared = fleet.prepare(attempt(number));
    await turns();
    clock.advance(5000);
    expect(await prepared).not.toEqual([]);
    fleet.discard(number);
  };

  it("get no further messages, and are killed one after the other until one is ready", async () => {
    const world = setUp(0);
    const { told, start, fleet } = world;
    for (const slot of [1, 2, 3]) start(slot, silent);
    await failIn(world, 1);
    told.length = 0;
    await failIn(world, 2);
    expect(told).toEqual(["kill 1"]);

    await failIn(world, 3);
    expect(told).toEqual(["kill 1", "kill 2"]);

    start(1);
    told.length = 0;
    expect(await fleet.prepare(attempt(4))).toEqual([]);
    expect(told).toEqual(["prepare 4 to 4", "kill 3"]);
  });

  it("are asked again if they have sent something", async () => {
    const world = setUp(0);
    const worker = world.start(1, silent);
    await failIn(world, 1);
    world.fleet.onMessage(worker, { type: "prepared", attempt: 1, fault: undefined });
    world.told.length = 0;
    await failIn(world, 2);

    expect(world.told).toEqual(["prepare 2 to 1", "discard 2 to 1"]);
  });
});

it("waits for a worker that says that it goes on, for 30 s", async () => {
  const { fleet, clock, told, start } = setUp(0);
  const slow = start(1, silent);
  const prepared = fleet.prepare(attempt(1));
  for (let second = 0; second < 29; second += 1) {
    clock.advance(1000);
    fleet.onMessage(slow, { type: "preparing", attempt: 1 });
  }
  clock.advance(1000);

  expect(await prepared).toEqual(["worker 1: the new settings were not ready within 30 s"]);
  expect(told).not.toContain("kill 1");
});

it("does not wait for a worker that ends", async () => {
  const { fleet, start, serving } = setUp(1);
  const ending = start(2, silent);
  const prepared = fleet.prepare(attempt(1));
  serving.pop();
  fleet.onEnd(ending);

  expect(await prepared).toEqual([]);
  expect(await fleet.swap(1)).toBe(1);
});

it("kills a worker that does not confirm the swap within 1 s", async () => {
  const { fleet, clock, told, start, willing } = setUp(1);
  start(2, (worker, message) => {
    if (message.type === "prepare") willing(worker, message);
  });
  await fleet.prepare(attempt(1));
  const swapped = fleet.swap(1);
  await turns();
  clock.advance(1000);

  expect(await swapped).toBe(1);
  expect(told).toContain("kill 2");
});

it("takes no late answer of an earlier attempt", async () => {
  const { fleet, start } = setUp(0);
  const worker = start(1, silent);
  const first = fleet.prepare(attempt(1));
  fleet.onMessage(worker, { type: "prepared", attempt: 1, fault: "no" });
  await first;
  fleet.discard(1);
  let isReady = false;
  const second = fleet.prepare(attempt(2)).then(() => (isReady = true));
  fleet.onMessage(worker, { type: "prepared", attempt: 1, fault: undefined });
  await turns();

  expect(isReady).toBe(false);

  fleet.onMessage(worker, { type: "prepared", attempt: 2, fault: undefined });
  await second;

  expect(isReady).toBe(true);
});

describe("a worker that starts", () => {
  it("before any reload takes connections at once", () => {
    const { fleet, create } = setUp();
    const worker = create(1);
    fleet.begin(worker);

    expect(fleet.admit(worker)).toBeUndefined();
  });

  it("gets the status that has changed since it began without new settings", () => {
    const { fleet, told, create } = setUp();
    const worker = create(1);
    fleet.begin(worker);
    fleet.show({ ...STATUS, needsRestart: ["server.port"] });
    told.length = 0;

    expect(fleet.admit(worker)).toBeUndefined();
    expect(told).toEqual(["reload-status to 3"]);
  });

  it("catches up with each reload that ends while it prepares", async () => {
    const { fleet, told, create, willing } = setUp();
    let finishFirst = (): void => undefined;
    const worker = create(3, (self, message) => {
      if (message.type !== "prepare" || message.attempt !== 1) willing(self, message);
      else
        finishFirst = () => {
          willing(self, message);
        };
    });
    fleet.begin(worker);
    await fleet.prepare(attempt(1));
    await fleet.swap(1);
    const admitted = fleet.admit(worker);
    await turns();
    await fleet.prepare(attempt(2));
    await fleet.swap(2);
    told.length = 0;
    finishFirst();

    expect(await admitted).toBe(true);
    expect(told).toEqual(["swap 1 to 3", "prepare 2 to 3", "swap 2 to 3", "reload-status to 3"]);
  });

  it("after a reload begins with the new settings", async () => {
    const { fleet, create } = setUp();
    await fleet.prepare(attempt(1));
    await fleet.swap(1);
    const worker = create(1);
    fleet.begin(worker);

    expect(fleet.admit(worker)).toBeUndefined();
  });

  it("during a reload takes no connection until it has the new settings", async () => {
    const { fleet, told, create } = setUp();
    const worker = create(3);
    fleet.begin(worker);
    await fleet.prepare(attempt(1));
    const admitted = fleet.admit(worker);
    told.length = 0;
    await fleet.swap(1);

    expect(await admitted).toBe(true);
    expect(told).toEqual([
      "swap 1 to 1",
      "swap 1 to 2",
      "prepare 1 to 3",
      "swap 1 to 3",
      "reload-status to 3",
    ]);
  });

  it("with old settings, and is ready after the reload, gets the new ones first", async () => {
    const { fleet, told, create } = setUp();
    const worker = create(3);
    fleet.begin(worker);
    await fleet.prepare(attempt(1));
    await fleet.swap(1);
    told.length = 0;

    expect(await fleet.admit(worker)).toBe(true);
    expect(told).toEqual(["prepare 1 to 3", "swap 1 to 3", "reload-status to 3"]);
  });

  it("during a reload that is discarded keeps its settings", async () => {
    const { fleet, told, create } = setUp();
    const worker = create(3);
    fleet.begin(worker);
    await fleet.prepare(attempt(1));
    const admitted = fleet.admit(worker);
    fleet.discard(1);
    told.length = 0;

    expect(await admitted).toBe(true);
    expect(told).toEqual(["reload-status to 3"]);
  });

  it("and can't prepare the new settings is killed", async () => {
    const { fleet, told, create } = setUp();
    const worker = create(3, (self, message) => {
      if (message.type === "prepare")
        fleet.onMessage(self, { type: "prepared", attempt: message.attempt, fault: "no" });
    });
    fleet.begin(worker);
    await fleet.prepare(attempt(1));
    await fleet.swap(1);

    expect(await fleet.admit(worker)).toBe(false);
    expect(told).toContain("kill 3");
  });
});

it("tells each worker the status", () => {
  const { fleet, told } = setUp();
  fleet.show({ ...STATUS, generation: 2 });

  expect(told).toEqual(["reload-status to 1", "reload-status to 2"]);
});

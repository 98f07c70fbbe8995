/**
 * Random schedules of a pod that spools one topic: outages, kills of workers and of the pod, late and lost acknowledgements, full
 * disks.
 */
import { type Event, type Random, type Worker, World } from "./world.ts";

const STEPS = 130;

const randomFrom = (seed: number): Random => {
  let state = (seed * 2654435761) >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
};

/** The steps of a schedule: a step stands in the list as often as it comes. Schedules differ in how fast the parts are. */
const stepsOf = (world: World, random: Random): readonly (() => void)[] => {
  const atWorker = (act: (worker: Worker) => void) => (): void => {
    const worker = world.workers[random(world.workers.length)];
    if (worker !== undefined) act(worker);
  };
  const times = (count: number, act: () => void): readonly (() => void)[] =>
    new Array<() => void>(count).fill(act);
  return [
    ...times(22, () => {
      const client = world.clients[random(world.clients.length)];
      if (client !== undefined) world.request(client);
    }),
    ...times(20, atWorker(world.append.bind(world))),
    ...times(3 + random(15), atWorker(world.flush.bind(world))),
    ...times(10 + random(40), world.deliver.bind(world)),
    ...times(30, world.drain.bind(world)),
    ...times(
      2,
      atWorker(({ topic }) => {
        topic.onTrouble();
      }),
    ),
    ...times(2, atWorker(world.heldLong.bind(world))),
    ...times(1 + random(8), () => {
      fault(world, random);
    }),
  ];
};

const fault = (world: World, random: Random): void => {
  const worker = world.workers[random(world.workers.length)];
  const choice = random(20);
  if (choice < 7) world.isUp = !world.isUp;
  else if (choice < 10) world.isDiskFull = !world.isDiskFull;
  else if (choice < 12) world.arrive();
  else if (choice < 15 && worker !== undefined && world.workers.length > 1) world.kill(worker);
  else if (choice < 18 && world.workers.length < 3) world.startWorker();
  else if (choice === 18) world.killPod(1 + random(3));
};

const isQuiet = (world: World): boolean =>
  world.pod.state === "direct" &&
  world.left === 0 &&
  world.workers.every(
    ({ topic, inbox, outbox, queue, inFlight, writes }) =>
      topic.state === "direct" &&
      topic.isIdle &&
      inbox.length + outbox.length + queue.length === 0 &&
      inFlight.length === 0 &&
      writes.length === 0,
  );

/** All faults end. Undefined: the pod has drained everything, and the topic is direct again. */
const heal = (world: World): string | undefined => {
  world.isUp = true;
  world.isDiskFull = false;
  for (let round = 0; round < 2000; round += 1) {
    for (const worker of world.workers) {
      world.flush(worker);
      world.append(worker);
    }
    for (let i = 0; i < 6; i += 1) world.deliver();
    for (let i = 0; i < 4; i += 1) world.drain();
    world.arrive();
    if (isQuiet(world)) return undefined;
  }
  return `not quiet: ${world.pod.state}, ${world.left} left, ${world.workers.map(({ topic }) => topic.state).join()}`;
};

const faultOf = (world: World): string | undefined => {
  const first = new Map<Event, number>();
  for (const [at, event] of world.log.entries()) {
    if (!first.has(event)) first.set(event, at);
    else if (!event.mayDouble) return `${event.id} is stored twice`;
  }
  const at = (event: Event): number => first.get(event) ?? -1;
  for (const { events, isStream } of world.clients) {
    const answered = events.filter(({ answeredAt }) => answeredAt > 0);
    const lost = answered.find((event) => at(event) < 0);
    if (lost !== undefined) return `${lost.id} was answered and is lost`;
    for (const [i, event] of answered.entries()) {
      const later = answered.slice(i + 1);
      const over = later.find(
        (other) => at(other) < at(event) && (isStream || other.sentAt > event.answeredAt),
      );
      if (over !== undefined) return `${over.id} has overtaken ${event.id}`;
    }
  }
  return undefined;
};

const run = (seed: number): string | undefined => {
  const random = randomFrom(seed);
  const workers = 1 + random(3);
  const world = new World(random, workers);
  const steps = stepsOf(world, random);
  for (let i = 0; i < STEPS; i += 1) steps[random(steps.length)]?.();
  const fault = heal(world) ?? faultOf(world);
  return fault === undefined
    ? undefined
    : `SEED=${seed}: ${fault}\n${world.trace.join("\n")}\nlog: ${world.log.map(({ id }) => id).join(" ")}`;
};

export interface Range {
  /** The seed of the first schedule; those of the others follow it. */
  readonly first: number;
  readonly count: number;
}

/** The fault of the first schedule that fails, with its seed and its trace. Undefined: none fails. */
export const runSchedules = ({ first, count }: Range): string | undefined => {
  for (let seed = first; seed < first + count; seed += 1) {
    const found = run(seed);
    if (found !== undefined) return found;
  }
  return undefined;
};

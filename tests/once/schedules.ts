/**
 * Random schedules of three processes that share one slot. At the end: at most one event for an id, but for the cases under
 * "What is left" of decision 7, which are counted; every answer that says "stored" or "duplicate" names a stored event; no
 * event is stored for a request that was told it isn't; the events of a key of a request are in their order; and every id
 * can be stored again after the faults.
 */
import { createHash } from "node:crypto";
import type { RecordHeader } from "../../src/broker/broker.ts";
import type { CoreCall, CoreEvent, CoreOutcome } from "../../src/once/slot-core/port.ts";
import { type Random, randomFrom } from "./kafka-model.ts";
import { TOO_LARGE } from "./kafka-link.ts";
import { PARTITIONS, type Process, type StoredEvent, World } from "./world.ts";

const IDS = 6;
const KEYS: readonly CoreEvent["record"]["key"][] = [null, Buffer.from("a"), Buffer.from("b")];
const HEADERS = Array.from({ length: 200 }, (_, count) =>
  new Array<RecordHeader>(count).fill({ name: "", value: null }),
);
const DIGESTS: readonly Buffer[] = Array.from({ length: IDS + 1 }, (_, id) =>
  createHash("sha256").update(`id ${id}`).digest().subarray(0, 16),
);

interface Client {
  readonly events: readonly CoreEvent[];
  readonly request: number;
  readonly until: number;
  readonly answers: (readonly CoreOutcome[])[];
  /** Calls to homes. An earlier one may have stored the event that a later one could not store. */
  calls: number;
}

const totals = { excused: 0, duplicates: 0, stored: 0, unresolved: 0, unavailable: 0, moved: 0 };

class Schedule {
  readonly #random: Random;
  readonly #world: World;
  readonly #clients: Client[] = [];
  readonly #calls = new Map<CoreCall, Client>();

  constructor(seed: number, trace: string[] | undefined) {
    this.#random = randomFrom(seed);
    this.#world = new World(this.#random, trace);
    this.#world.onAnswer = (process, call, outcomes) => {
      this.#answered(process, call, outcomes);
    };
  }

  run(): string | undefined {
    const world = this.#world;
    world.run(this.#random(100));
    for (let step = 4 + this.#random(8); step > 0; step -= 1) {
      for (let calls = this.#random(3); calls > 0; calls -= 1) this.#call(1 + this.#random(3));
      if (this.#random(3) === 0) world.run(this.#random(12_000));
      else world.run(this.#random(20));
      if (this.#random(2) === 0) this.#fault();
      world.run(this.#random(2) === 0 ? this.#random(10) : this.#random(3000));
    }
    this.#heal();
    world.run(70_000);
    // Long enough for a look after `deliveryTimeout`.
    const last = DIGESTS.slice(0, IDS).map((_, id) => this.#callOf([eventOf(id, 0, keyOf(id))], true));
    world.run(30_000);
    return this.#check(last);
  }

  #call(count: number): void {
    const key = () => KEYS[this.#random(KEYS.length)] ?? null;
    this.#callOf(
      Array.from({ length: count }, (_, index) => {
        if (this.#random(20) === 0) return eventOf(IDS, TOO_LARGE, key());
        const id = this.#random(IDS);
        return eventOf(id, index, keyOf(id));
      }),
    );
  }

  #callOf(events: readonly CoreEvent[], isLast = false): Client {
    const request = this.#clients.length + 1;
    const client = {
      events: events.map((event) => ({
        ...event,
        record: { ...event.record, headers: HEADERS[request] ?? [] },
      })),
      request,
      until:
        this.#world.now + (!isLast && this.#random(4) === 0 ? this.#random(6000) : 8000 + this.#random(6000)),
      answers: [],
      calls: 0,
    };
    this.#clients.push(client);
    this.#world.log(`request ${request}: ${events.map(({ id }) => DIGESTS.indexOf(id.digest)).join()}`);
    this.#send(client);
    return client;
  }

  /** Any process that serves gets the call, or the caller tries again. */
  #send(client: Client): void {
    const world = this.#world;
    if (world.now >= client.until) return;
    const serving = world.processes.filter(({ isServing }) => isServing);
    const to = serving[this.#random(serving.length)];
    if (to === undefined) this.#later(client);
    else
      world.after(world.latency(), to, () => {
        if (to.core === undefined || !world.isFresh(to, 1)) {
          this.#later(client);
          return;
        }
        const leaders = world.partitions.map(({ hasLeader }) => (hasLeader ? 1 : undefined));
        const call: CoreCall = {
          topic: { name: "t", id: "1", leaders },
          request: client.request,
          until: world.monotonic(to) + Math.max(0, client.until - world.now),
          events: client.events,
        };
        client.calls += 1;
        this.#calls.set(call, client);
        to.core.offer(call);
      });
  }

  #later(client: Client): void {
    this.#world.after(100 + this.#random(400), undefined, () => {
      this.#send(client);
    });
  }

  #answered(process: Process, call: CoreCall, outcomes: readonly CoreOutcome[] | "moved"): void {
    const client = this.#calls.get(call);
    if (client === undefined) return;
    if (outcomes === "moved" || !this.#world.isFresh(process, 1)) {
      totals.moved += 1;
      this.#later(client);
      return;
    }
    this.#world.log(`answer ${client.request}: ${outcomes.map(textOf).join()}`);
    client.answers.push(outcomes);
  }

  #fault(): void {
    const world = this.#world;
    const some = world.processes[this.#random(world.processes.length)];
    const one = this.#random(2) === 0 ? (world.owner ?? some) : some;
    const log = this.#random(3) === 0 ? world.slot : world.partitions[this.#random(PARTITIONS)];
    if (one === undefined || log === undefined) return;
    const freeze = (): void => {
      world.freeze(one, this.#random(2) === 0 ? this.#random(3000) : this.#random(30_000));
    };
    const move = (): void => {
      world.move();
    };
    const elect = (): void => {
      world.log("elect");
      log.elect(this.#random);
    };
    const faults = [
      () => {
        world.kill(one);
      },
      ...[freeze, freeze, freeze, move, move, elect],
      () => {
        world.lateFence();
      },
      () => {
        world.otherRecords(log);
      },
      () => {
        one.cutUntil = world.now + this.#random(20_000);
      },
      () => {
        one.coordinatorCutUntil = world.now + this.#random(30_000);
      },
      () => {
        elect();
        log.hasLeader = false;
        world.after(this.#random(15_000), undefined, () => {
          log.hasLeader = true;
          log.replicate();
        });
      },
    ];
    faults[this.#random(faults.length)]?.();
  }

  #heal(): void {
    const world = this.#world;
    world.log("heal");
    world.isHealed = true;
    for (const one of world.processes) {
      one.cutUntil = 0;
      one.coordinatorCutUntil = 0;
    }
    for (const log of [world.slot, ...world.partitions]) {
      log.hasLeader = true;
      log.replicate();
    }
  }

  #check(last: readonly Client[]): string | undefined {
    for (const log of this.#world.partitions) log.replicate();
    const all = this.#world.partitions.flatMap(({ records }) => records);
    return this.#checkIds(all) ?? this.#checkAnswers(all) ?? this.#checkOrder() ?? checkLast(last);
  }

  #checkIds(all: readonly StoredEvent[]): string | undefined {
    for (const digest of DIGESTS) {
      const events = all.filter(({ name }) => name === digest.toString("latin1"));
      if (events.length < 2) continue;
      if (!events.some(({ isExcused }) => isExcused))
        return `id ${DIGESTS.indexOf(digest)} is stored ${events.length} times`;
      totals.excused += 1;
    }
    return undefined;
  }

  #checkAnswers(all: readonly StoredEvent[]): string | undefined {
    for (const client of this.#clients) {
      for (const [index, outcome] of (client.answers[0] ?? []).entries()) {
        const fault = this.#checkAnswer(client, index, outcome, all);
        if (fault !== undefined) return `request ${client.request} ${fault}`;
      }
    }
    return undefined;
  }

  #checkAnswer(client: Client, index: number, outcome: CoreOutcome, all: readonly StoredEvent[]) {
    const name = nameOf(client.events[index]);
    if (outcome.status === "stored") {
      totals[outcome.isDuplicate ? "duplicates" : "stored"] += 1;
      const at = this.#world.partitions[outcome.partition]?.records[outcome.offset];
      return at?.name === name ? undefined : "was told of an event that is not stored";
    }
    totals[outcome.status === "unavailable" ? "unavailable" : "unresolved"] += 1;
    if (outcome.status !== "unavailable" || isAmbiguous(client, name)) return undefined;
    const isStored = all.some(
      (event) => !event.isExcused && event.request === client.request && event.name === name,
    );
    return isStored ? "was told that it stored nothing" : undefined;
  }

  #checkOrder(): string | undefined {
    for (const { records } of this.#world.partitions) {
      const newest = new Map<string, number>();
      for (const { request, key, index, isExcused } of records) {
        if (key === undefined || isExcused) continue;
        if ((newest.get(`${request} ${key}`) ?? -1) >= index) return `request ${request} is out of order`;
        newest.set(`${request} ${key}`, index);
      }
    }
    return undefined;
  }
}

const nameOf = (event: CoreEvent | undefined): string | undefined => event?.id.digest.toString("latin1");

/** Another event or another call of the request may have stored the id. */
const isAmbiguous = ({ calls, events }: Client, name: string | undefined): boolean =>
  calls > 1 || events.filter((event) => nameOf(event) === name).length > 1;

const checkLast = (last: readonly Client[]): string | undefined => {
  for (const { answers, request } of last) {
    const status = answers[0]?.[0]?.status;
    if (status !== "stored") return `request ${request} got ${status} after the faults`;
  }
  return undefined;
};

/** An event id belongs to its record key. */
const keyOf = (id: number): CoreEvent["record"]["key"] => KEYS[id % KEYS.length] ?? null;

/** The index is in the timestamp, so that the order can be checked. */
const eventOf = (id: number, index: number, key: CoreEvent["record"]["key"]): CoreEvent => ({
  id: { digest: DIGESTS[id] ?? Buffer.alloc(16), window: 3_600_000, kind: "event" },
  record: { key, value: Buffer.from(`${id}`), headers: [], timestamp: index },
});

const textOf = (outcome: CoreOutcome): string =>
  outcome.status === "stored"
    ? `${outcome.isDuplicate ? "duplicate" : "stored"} ${outcome.partition}/${outcome.offset}`
    : outcome.status;

export interface Range {
  /** The seed of the first schedule; those of the others follow it. */
  readonly first: number;
  readonly count: number;
}

export interface Findings {
  /** Empty, or the fault of the first schedule that fails, with its seed and its trace. */
  readonly failures: readonly string[];
  /** Milliseconds of CPU of the process. */
  readonly cpu: number;
  readonly totals: Readonly<Record<string, number>>;
}

export const runSchedules = ({ first, count }: Range): Findings => {
  const began = process.cpuUsage().user;
  const failures: string[] = [];
  for (let seed = first; seed < first + count && failures.length === 0; seed += 1) {
    const fault = new Schedule(seed, undefined).run();
    if (fault === undefined) continue;
    const trace: string[] = [];
    new Schedule(seed, trace).run();
    failures.push(`SEED=${seed} SCHEDULES=1: ${fault}\n${trace.join("\n")}`);
  }
  return { failures, cpu: Math.round((process.cpuUsage().user - began) / 1000), totals };
};

/** Processes on one Kafka in simulated time. A test kills, freezes and cuts them off; a seed decides the order of messages. */
import { setMaxListeners } from "node:events";
import type { AppendOutcome } from "../../src/broker/broker.ts";
import type { Groups } from "../../src/broker/groups.ts";
import { createMemoryBroker } from "../../src/broker/memory/memory-broker.ts";
import { GatewayError } from "../../src/errors.ts";
import type { HeldSlotLog, LivingRecords, SlotLog, SlotService } from "../../src/home/contract.ts";
import { createHome, type Home } from "../../src/home/home.ts";
import { SlotLogWriter } from "../../src/home/slot-log.ts";
import type { Peer, Peers } from "../../src/home/peers/peers.ts";
import type { SlotBroker } from "../../src/home/slot-reader.ts";
import { createSlotView } from "../../src/home/slot-view.ts";
import type { Clock } from "../../src/lib/clock.ts";

export const SESSION_MS = 10_000;
const TOPIC = "_slots";
/** A request without an answer fails after this time. */
const REQUEST_MS = 5000;

const LATE_MS = 15_000;

export type Random = (below: number) => number;

/** A reproducible source of whole numbers from 0 up to, but not including, `below`. */
export const randomFrom = (seed: number): Random => {
  let state = seed | 0;
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
    return Math.floor(((state >>> 0) / 2 ** 32) * below);
  };
};

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly owner: Machine | undefined;
  readonly action: () => void;
}

/** What can happen to a process. */
interface Machine {
  readonly name: string;
  isDead: boolean;
  readonly death: AbortController;
  isFrozen: boolean;
  /** Milliseconds for which the monotonic clock has stood still. */
  slept: number;
  /** No request reaches Kafka. */
  isCutFromKafka: boolean;
}

export interface Process extends Machine {
  readonly home: Home;
  readonly service: ReturnType<typeof createService>;
  /** Errors that the home recovered from. */
  readonly errors: GatewayError[];
}

const unavailable = (): GatewayError => new GatewayError("BROKER_UNAVAILABLE");

export class World {
  readonly broker;
  readonly processes: Process[] = [];
  readonly #timers = new Set<Timer>();
  readonly #random: Random;
  readonly #slots: number;
  /** Pairs of processes that can't reach each other. */
  readonly cuts = new Set<string>();
  /** On average, one in `lossRate` messages between processes is lost; 0: no message is lost. */
  lossRate = 0;
  /** On average, one in `lateRate` appends arrives after its process has given up waiting; 0: no append is late. */
  lateRate = 0;
  /** Appends to these slots fail. */
  readonly brokenFor = new Map<Machine, ReadonlySet<number>>();
  now = 1_700_000_000_000;
  #order = 0;
  #ids = 0;

  constructor(slots: number, random: Random = () => 0) {
    this.#slots = slots;
    this.#random = random;
    this.broker = createMemoryBroker({ clock: this.clockOf(undefined) });
  }

  get slots(): number {
    return this.#slots;
  }

  get alive(): readonly Process[] {
    return this.processes.filter(({ isDead }) => !isDead);
  }

  clockOf(owner: Machine | undefined): Clock {
    return {
      now: () => this.now,
      monotonic: () => this.now,
      after: (ms, action) => {
        this.#order += 1;
        const timer = { at: this.now + ms, order: this.#order, owner, action };
        this.#timers.add(timer);
        return () => {
          this.#timers.delete(timer);
        };
      },
    };
  }

  /** Runs what is due within this time, one timer after the other, and calls `check` after each. */
  async run(ms: number, check: () => void = () => undefined): Promise<void> {
    const end = this.now + ms;
    await settle();
    for (let timer = this.#nextBefore(end); timer !== undefined; timer = this.#nextBefore(end)) {
      this.#timers.delete(timer);
      this.now = Math.max(this.now, timer.at);
      timer.action();
      await settle();
      check();
    }
    this.now = end;
  }

  /** Runs until the condition holds. Returns the milliseconds that it took. */
  async until(condition: () => boolean, limit = 60_000): Promise<number> {
    const began = this.now;
    while (!condition()) {
      if (this.now - began >= limit) throw new RangeError(`not within ${limit} ms`);
      await this.run(100);
    }
    return this.now - began;
  }

  #nextBefore(end: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.owner?.isDead === true) this.#timers.delete(timer);
      else if (timer.owner?.isFrozen !== true && timer.at <= end && isEarlier(timer, next)) next = timer;
    }
    return next;
  }

  /** Waits as this process, so for ever if it is killed. */
  delay(owner: Machine | undefined, ms: number): Promise<void> {
    return new Promise((resolve) => {
      this.clockOf(owner).after(ms, resolve);
    });
  }

  latency(): number {
    return this.#random(20) === 0 ? this.#random(400) : this.#random(4);
  }

  /** Ends the process at once; its connections break. */
  kill(process: Process): void {
    process.isDead = true;
    process.death.abort();
  }

  start(): Process {
    const machine: Machine = {
      name: `p${this.processes.length}`,
      isDead: false,
      death: new AbortController(),
      isFrozen: false,
      slept: 0,
      isCutFromKafka: false,
    };
    const errors: GatewayError[] = [];
    const service = createService((ms) => this.delay(machine, ms), this.#slots);
    const home = createHome<HeldSlotLog, LivingRecords>({
      broker: {
        ...this.#brokerOf(machine),
        ensureTopic: (spec) => this.broker.ensureTopic(spec),
        groups: this.#groupsOf(machine),
      },
      clock: this.clockOf(machine),
      monotonic: () => this.now - machine.slept,
      topic: { name: TOPIC, partitions: this.#slots, compacted: true },
      group: "slots",
      createLog: (options) => new SlotLogWriter(options),
      sessionTimeout: SESSION_MS,
      address: () => machine.name,
      peers: this.#peersOf(machine),
      service,
      newId: () => `${this.#random(1000)}-${machine.name}-${(this.#ids += 1)}`,
      onError: (error) => errors.push(error),
    });
    const process: Process = Object.assign(machine, { home, service, errors });
    this.processes.push(process);
    void home.start();
    return process;
  }

  /** A request to Kafka and its answer, each of which may be lost. */
  async #kafka<T>(process: Machine, request: () => Promise<T>): Promise<T> {
    const leg = async (): Promise<void> => {
      await this.delay(process, this.latency());
      if (!process.isCutFromKafka) return;
      await this.delay(process, REQUEST_MS);
      throw unavailable();
    };
    await leg();
    const answer = await request().then(
      (value) => () => value,
      (error: unknown) => () => {
        throw error;
      },
    );
    await leg();
    return answer();
  }

  #groupsOf(of: Machine): Groups {
    const { groups } = this.broker;
    return {
      join: (...args) => this.#kafka(of, () => groups.join(...args)),
      sync: (...args) => this.#kafka(of, () => groups.sync(...args)),
      heartbeat: (...args) => this.#kafka(of, () => groups.heartbeat(...args)),
      leave: (...args) => this.#kafka(of, () => groups.leave(...args)),
      commit: (...args) => this.#kafka(of, () => groups.commit(...args)),
    };
  }

  #brokerOf(of: Machine): SlotBroker {
    const { broker } = this;
    return {
      read: (...args) => this.#kafka(of, () => broker.read(...args)),
      watermarks: (topic) => this.#kafka(of, () => broker.watermarks(topic)),
      append: async (topic, records) => {
        const failed = (code: "BROKER_UNAVAILABLE" | "BROKER_AMBIGUOUS"): readonly AppendOutcome[] =>
          records.map(() => ({ status: "failed", error: new GatewayError(code) }));
        if (this.brokenFor.get(of)?.has(records[0]?.partition ?? 0) === true) {
          await this.delay(of, 10);
          return failed("BROKER_UNAVAILABLE");
        }
        // What is written to a socket arrives although the process is frozen or killed meanwhile.
        const isSent = !of.isCutFromKafka;
        const isLate = this.lateRate > 0 && this.#random(this.lateRate) === 0;
        const stored = this.delay(undefined, isLate ? LATE_MS : this.latency()).then(() =>
          isSent ? broker.append(topic, records) : failed("BROKER_AMBIGUOUS"),
        );
        const answer = this.#kafka(of, () => stored).catch(() => failed("BROKER_AMBIGUOUS"));
        return Promise.race([answer, this.delay(of, REQUEST_MS).then(() => failed("BROKER_AMBIGUOUS"))]);
      },
    };
  }

  areCut(a: Machine, b: Machine): boolean {
    return this.cuts.has([a.name, b.name].sort().join());
  }

  #peersOf(of: Machine): Pick<Peers, "call" | "ask" | "given"> {
    const target = (to: Peer): Process | undefined => this.processes.find(({ name }) => name === to.address);
    const isLost = (): boolean => this.lossRate > 0 && this.#random(this.lossRate) === 0;
    /** undefined: no answer, after this time. */
    const send = async <T>(to: Peer, ms: number, message: (handler: Home["handler"]) => Promise<T>) => {
      const process = target(to);
      await this.delay(of, this.latency());
      if (process === undefined || process.isDead) return undefined;
      if (this.areCut(of, process) || isLost()) {
        await this.delay(of, ms);
        return undefined;
      }
      await this.delay(process, this.latency());
      if (process.home.id !== to.id) return undefined;
      const answer = await message(process.home.handler);
      await this.delay(of, this.latency());
      if (!this.areCut(of, process) && !isLost()) return answer;
      await this.delay(of, ms);
      return undefined;
    };
    const within = async <T>(work: Promise<T>, ms: number): Promise<T | undefined> =>
      Promise.race([work, this.delay(of, ms).then(() => undefined)]);

    return {
      call: async (to, slot, call) => {
        const answer = send(to, REQUEST_MS, (handler) => handler.call(slot, call)).then(
          (one) => one ?? "unsent",
        );
        const broken = Promise.race([aborted(call.signal), aborted(target(to)?.death.signal ?? call.signal)]);
        return Promise.race([answer, broken.then(() => "broken" as const)]);
      },
      ask: (to, slot, generation) =>
        within(
          send(to, 10_000, (handler) => handler.ask(slot, generation)),
          10_000,
        ),
      given: async (to, slot, generation) =>
        (await within(
          send(to, 10_000, (handler) => handler.given(slot, generation)),
          10_000,
        )) === true,
    };
  }

  /** Puts a value (null: deletes it) by a call of this process. Resolves to whether it was stored. */
  async put(process: Process, name: string, value: string | null, waitMs = 0): Promise<void> {
    const body = Buffer.from(JSON.stringify({ name, value }));
    const answer = await process.home.call(name, {
      path: "/put",
      body,
      waitMs,
      signal: new AbortController().signal,
    });
    answer.ended(true);
  }

  /** What the records of the topic say, for a reader that begins now. */
  async stored(): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>();
    const options = { maxBytes: 2 ** 30, maxWaitMs: 0, signal: new AbortController().signal };
    for (let partition = 0; partition < this.#slots; partition += 1) {
      const view = createSlotView();
      const { records } = await this.broker.read({ topic: TOPIC, partition, offset: 0n }, options);
      for (const record of records) view.apply(record);
      for (const [name, value] of view.living) found.set(name, String(value));
    }
    return found;
  }

  /** The processes that may answer for the slot at this moment. */
  holdersOf(slot: number): readonly Process[] {
    return this.alive.filter(({ home }) => home.holds(slot));
  }

  /** The processes whose service has the slot open. */
  serving(slot: number): readonly Process[] {
    return this.holdersOf(slot).filter(({ service }) => service.isOpen(slot));
  }
}

const isEarlier = (timer: Timer, other: Timer | undefined): boolean =>
  other === undefined || timer.at < other.at || (timer.at === other.at && timer.order < other.order);
const settle = (): Promise<void> => new Promise(setImmediate);
const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    signal.addEventListener("abort", () => {
      resolve();
    });
    setMaxListeners(0, signal);
  });

interface OpenSlot {
  readonly log: SlotLog;
  readonly records: Map<string, string>;
  readonly puts: Set<Promise<void>>;
}

/** A service that keeps texts by name. Its names are those of the records. */
const createService = (delay: (ms: number) => Promise<void>, slots: number) => {
  const open = new Map<number, OpenSlot>();
  const prepared = Array.from({ length: slots }, () => new Set<string>());
  const counts = { opened: 0, lost: 0, handedOver: 0, served: 0, endedNotWhole: 0, prepared: 0 };
  /** Milliseconds that a slot takes to be handed over. */
  const slow = { close: 5 };

  const service: SlotService = {
    names: (slot) => [...(open.get(slot)?.records.keys() ?? [])].slice(0, 3),
    prepare: async (slot, names) => {
      await delay(10);
      for (const name of names) prepared[slot]?.add(name);
      counts.prepared += names.length;
    },
    abandon: async (slot) => {
      await delay(1);
      prepared[slot]?.clear();
    },
    open: async (slot, log, records) => {
      prepared[slot]?.clear();
      const texts = [...records].map(([name, value]) => [name, String(value)] as const);
      open.set(slot, { log, records: new Map(texts), puts: new Set() });
      counts.opened += 1;
      await delay(2);
    },
    serve: async (slot, call) => {
      const { name, value } = JSON.parse(call.body.toString()) as { name: string; value: string | null };
      const own = open.get(slot);
      if (own === undefined) throw new GatewayError("SLOT_MOVED");
      const put = own.log.put([{ name, value: value === null ? null : Buffer.from(value) }]);
      const settled = put.catch(() => undefined);
      own.puts.add(settled);
      try {
        await put;
      } finally {
        own.puts.delete(settled);
      }
      const { records } = open.get(slot) ?? own;
      if (value === null) records.delete(name);
      else records.set(name, value);
      counts.served += 1;
      return {
        status: 200,
        headers: {},
        body: Buffer.from("stored"),
        ended: (sentWhole) => {
          if (!sentWhole) counts.endedNotWhole += 1;
        },
      };
    },
    close: async (slot, reason) => {
      const own = open.get(slot);
      open.delete(slot);
      if (reason === "lost") {
        counts.lost += 1;
        return;
      }
      await Promise.all([...(own?.puts ?? [])]);
      await delay(slow.close);
      counts.handedOver += 1;
    },
  };
  return {
    ...service,
    counts,
    slow,
    isOpen: (slot: number): boolean => open.has(slot),
    records: (slot: number): ReadonlyMap<string, string> => open.get(slot)?.records ?? new Map(),
    prepared: (slot: number): ReadonlySet<string> => prepared[slot] ?? new Set(),
  };
};

/**
 * Three processes that share one slot, in simulated time: kills, freezes, cuts, late and lost messages, leaders that change.
 * The processes run the state machine of `src/once/slot-core/`; what it asks for is done here on arrays.
 */
import type { CoreCall, CoreOutcome } from "../../src/once/slot-core/port.ts";
import { SlotCore } from "../../src/once/slot-core/slot-core.ts";
import type { SlotRecord } from "../../src/once/slot-records.ts";
import { KafkaLink } from "./kafka-link.ts";
import { LogModel, type Random } from "./kafka-model.ts";

export const SESSION_MS = 10_000;
const DELIVERY_MS = 6000;
const BEAT_MS = 3000;
/** An append that arrives later than this after it was written was held by a frozen kernel or a cut network. */
export const LATE_MS = SESSION_MS / 2;
export const PARTITIONS = 2;

export interface StoredEvent {
  readonly name: string;
  readonly request: number;
  readonly index: number;
  readonly key: string | undefined;
  /** One of the cases under "What is left" of decision 7. */
  readonly isExcused: boolean;
}

interface SlotEntry {
  readonly record: SlotRecord;
  readonly timestamp: number;
}

interface Timer {
  readonly at: number;
  readonly owner: Process | undefined;
  readonly run: () => void;
}

export interface Process {
  readonly name: string;
  isDead: boolean;
  frozenUntil: number;
  /** Milliseconds for which the clocks have stood still. */
  monotonicSlept: number;
  wallSlept: number;
  /** Until when both clocks have last stood still; -1: never. */
  bothSleptUntil: number;
  cutUntil: number;
  coordinatorCutUntil: number;
  core: SlotCore | undefined;
  isServing: boolean;
  tenure: number;
  /** When the last answered heartbeat was sent: truly, and by both clocks. */
  beatAt: number;
  beatMonotonic: number;
  beatWall: number;
  mayArriveUntil: number;
}

export class World {
  now = 0;
  readonly random: Random;
  readonly slot = new LogModel<SlotEntry>();
  readonly partitions = Array.from({ length: PARTITIONS }, () => new LogModel<StoredEvent>());
  processes: Process[] = [];
  owner: Process | undefined;
  #lastBeat = 0;
  /** Sorted, the next one last. */
  readonly #timers: Timer[] = [];
  #names = 0;
  isHealed = false;
  readonly trace: string[] | undefined;

  constructor(random: Random, trace: string[] | undefined) {
    this.random = random;
    this.trace = trace;
    for (let count = 0; count < 3; count += 1) this.start();
    this.#assign();
  }

  log(text: string): void {
    this.trace?.push(`${this.now} ${text}`);
  }

  start(): void {
    this.#names += 1;
    this.processes.push({
      name: this.#names.toString(16).padStart(16, "0"),
      isDead: false,
      frozenUntil: 0,
      monotonicSlept: 0,
      wallSlept: 0,
      bothSleptUntil: -1,
      cutUntil: 0,
      coordinatorCutUntil: 0,
      core: undefined,
      isServing: false,
      tenure: 0,
      beatAt: 0,
      beatMonotonic: 0,
      beatWall: 0,
      mayArriveUntil: -Infinity,
    });
  }

  after(ms: number, owner: Process | undefined, run: () => void): void {
    const timer = { at: this.now + ms, owner, run };
    let at = this.#timers.length;
    while (at > 0 && (this.#timers[at - 1]?.at ?? 0) <= timer.at) at -= 1;
    this.#timers.splice(at, 0, timer);
  }

  run(ms: number): void {
    const end = this.now + ms;
    for (let next = this.#timers.at(-1); next !== undefined && next.at <= end; next = this.#timers.at(-1)) {
      this.#timers.pop();
      this.now = next.at;
      const { owner } = next;
      if (owner?.isDead === true) continue;
      if (owner !== undefined && owner.frozenUntil > this.now)
        this.after(owner.frozenUntil - this.now, owner, next.run);
      else next.run();
    }
    this.now = end;
  }

  monotonic(process: Process): number {
    return this.now - process.monotonicSlept;
  }

  wall(process: Process): number {
    return this.now - process.wallSlept;
  }

  isFresh(process: Process, part: number): boolean {
    return (
      this.monotonic(process) - process.beatMonotonic < SESSION_MS * part &&
      this.wall(process) - process.beatWall < SESSION_MS * part
    );
  }

  /** How long a message takes. */
  latency(): number {
    return this.random(12) === 0 ? this.random(300) : this.random(4);
  }

  // The group: one owner at a time, until its session has ended or it has given the slot up.

  #assign(): void {
    const able = this.processes.filter(
      (one) => !one.isDead && this.now >= one.cutUntil && this.now >= one.frozenUntil,
    );
    const next = able[this.random(able.length)];
    if (next === undefined) {
      this.after(500, undefined, () => {
        this.#assign();
      });
      return;
    }
    this.lose(next);
    this.owner = next;
    this.#lastBeat = this.now;
    this.#noteBeat(next);
    this.log(`${next.name} owns`);
    this.after(BEAT_MS, next, () => {
      this.#beat(next);
    });
    this.#expireAt(next);
    this.enter(next);
  }

  #noteBeat(process: Process): void {
    process.beatAt = this.now;
    process.beatMonotonic = this.monotonic(process);
    process.beatWall = this.wall(process);
  }

  #beat(process: Process): void {
    if (this.now >= process.cutUntil && this.now >= process.coordinatorCutUntil) {
      if (this.owner !== process) {
        this.lose(process);
        return;
      }
      this.#lastBeat = this.now;
      this.#noteBeat(process);
    }
    this.after(BEAT_MS, process, () => {
      this.#beat(process);
    });
  }

  #expireAt(process: Process): void {
    this.after(Math.max(1, this.#lastBeat + SESSION_MS - this.now), undefined, () => {
      if (this.owner !== process) return;
      if (this.now - this.#lastBeat < SESSION_MS) this.#expireAt(process);
      else this.disown();
    });
  }

  disown(): void {
    this.owner = undefined;
    this.after(this.latency(), undefined, () => {
      this.#assign();
    });
  }

  lose(process: Process): void {
    if (process.core !== undefined) process.mayArriveUntil = process.core.mayArriveUntil;
    process.core?.close();
    process.core = undefined;
    process.isServing = false;
  }

  /** Appends a fence, reads the slot up to it, and serves. */
  enter(process: Process): void {
    process.tenure += 1;
    const { tenure } = process;
    const writer = { process: process.name, tenure };
    const isCurrent = (): boolean => process.tenure === tenure && this.owner === process;
    const again = (): void => {
      this.after(500, process, () => {
        if (isCurrent()) this.enter(process);
      });
    };
    if (!this.isFresh(process, 0.5)) {
      again();
      return;
    }
    new KafkaLink(this, process).toSlot([{ type: "fence", writer, ids: 0 }], (base) => {
      if (!isCurrent()) return;
      if (base === undefined || !this.isFresh(process, 1)) {
        again();
        return;
      }
      const core: SlotCore = new SlotCore(
        {
          writer,
          share: 1000,
          deliveryTimeout: DELIVERY_MS,
          batchBytes: 100_000,
          resolveFrom: process.mayArriveUntil,
        },
        new KafkaLink(this, process).portOf(() => process.core === core),
      );
      process.core = core;
      this.slot.records.slice(0, base).forEach(({ record, timestamp }, offset) => {
        core.apply({ offset, timestamp, record });
      });
      process.isServing = true;
      core.start(base + 1, this.slot.records[base]?.timestamp ?? 0);
    });
  }

  kill(process: Process): void {
    this.log(`kill ${process.name}`);
    process.isDead = true;
    process.core = undefined;
    process.isServing = false;
    this.processes = this.processes.filter((one) => one !== process);
    this.start();
  }

  freeze(process: Process, ms: number): void {
    if (process.frozenUntil > this.now) return;
    process.frozenUntil = this.now + ms;
    const clocks = this.random(4);
    this.log(`freeze ${process.name} ${ms} clocks ${clocks}`);
    if (clocks % 2 === 1) process.monotonicSlept += ms;
    if (clocks >= 2) process.wallSlept += ms;
    if (clocks === 3) process.bothSleptUntil = process.frozenUntil;
  }

  /** A fence of a process that has lost the slot arrives. */
  lateFence(): void {
    const record = { type: "fence" as const, writer: { process: "f".repeat(16), tenure: 1 }, ids: 0 };
    this.slot.append([{ record, timestamp: this.now }], () => undefined);
    this.slot.replicate();
  }

  /** Another producer's records, which the followers copy later. */
  otherRecords(log: LogModel<StoredEvent> | LogModel<SlotEntry>): void {
    const [first, second] = this.partitions;
    const to = log === first ? first : second;
    const record = { name: "", request: 0, index: 0, key: undefined, isExcused: false };
    to?.append(new Array<StoredEvent>(1 + this.random(3)).fill(record), () => undefined);
    this.after(this.random(5000), undefined, () => {
      to?.replicate();
    });
  }

  /** Asks the owner to hand the slot over. */
  move(): void {
    if (this.owner?.isServing !== true || this.now < this.owner.frozenUntil) return;
    this.log("move");
    this.owner.core?.drain();
  }

  /** Answers of the cores. */
  onAnswer: (process: Process, call: CoreCall, outcomes: readonly CoreOutcome[] | "moved") => void = () =>
    undefined;
}

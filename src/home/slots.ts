/**
 * All slots in this process, and the handing over. A handover belongs to one generation of the gateway group: from the moment
 * at which this process joins again until it has the new assignment, it gives no slot up and takes none over.
 */
import { asGatewayError, type GatewayError } from "../errors.ts";
import { atMost, type Clock, pause } from "../lib/clock.ts";
import type { MemberData } from "./assignment.ts";
import type { SlotHolders } from "./gateway-data.ts";
import type { HeldLog, SlotService } from "./contract.ts";
import type { Peer, Peers } from "./peers/peers.ts";
import { Slot, type SlotOptions } from "./slot.ts";

export interface SlotsOptions<Log extends HeldLog<Content>, Content extends object> extends Omit<
  SlotOptions<Log, Content>,
  "slot" | "onUnusable"
> {
  readonly slots: number;
  readonly service: SlotService<Log, Content>;
  readonly clock: Clock;
  readonly peers: Pick<Peers, "ask" | "given">;
  /** Joins the group again, because the slots of this process have changed. */
  readonly rejoin: () => void;
  readonly onError: (error: GatewayError) => void;
}

/** A handover that has not begun after this time in a generation does not happen in it. */
const HANDOVER_MS = 10_000;
/** A rebalance waits for this time until slots are given up. */
const FINISH_MS = 2000;
const ASK_AGAIN_MS = 200;

/** An assignment, as this process sees it. */
interface Generation {
  readonly number: number;
  readonly self: string;
  readonly holders: readonly SlotHolders[];
  readonly began: number;
  /** Names of each slot that the next process has been told. */
  readonly told: Map<number, ReadonlySet<string>>;
  /** The leader knew that this process ends. */
  readonly knowsEnding: boolean;
  mayGive: boolean;
  mayTake: boolean;
  /** A slot was given up: the group must learn it. */
  hasGiven: boolean;
}

export class Slots<Log extends HeldLog<Content>, Content extends object> {
  readonly #options: SlotsOptions<Log, Content>;
  readonly #slots: readonly Slot<Log, Content>[];
  readonly #giving = new Set<Promise<void>>();
  readonly #avoided = new Set<number>();
  readonly #given = new Map<number, Peer>();
  /** The newest assignment, for calls. */
  #holders: readonly SlotHolders[] = [];
  /** undefined: there is no session. */
  #generation: Generation | undefined;
  #isEnding = false;
  readonly #timers = new Set<() => void>();
  /** Counts what this process has taken over and given up between two assignments. */
  #changes = 0;
  /** What the newest join has told the group. */
  #told: { readonly ending: boolean; readonly avoided: ReadonlySet<number> } = {
    ending: false,
    avoided: new Set(),
  };

  constructor(options: SlotsOptions<Log, Content>) {
    this.#options = options;
    const onUnusable = (slot: number, reason: "moved" | "unusable"): void => {
      if (reason === "unusable") this.#avoided.add(slot);
      this.#slots[slot]?.lose();
      this.#changes += 1;
      options.rejoin();
    };
    this.#slots = Array.from(
      { length: options.slots },
      (_, slot) => new Slot({ ...options, slot, onUnusable }),
    );
  }

  /** What the membership of this process tells about its slots. */
  get membership(): Omit<MemberData, "id" | "address"> {
    const held = this.#slots.flatMap(({ since }, slot) => (since === undefined ? [] : [{ slot, since }]));
    return { ending: this.#isEnding, held, avoided: [...this.#avoided], changes: this.#changes };
  }

  slot(slot: number): Slot<Log, Content> | undefined {
    return this.#slots[slot];
  }

  /** The processes that may hold the slot, the likeliest first. */
  candidates(slot: number): readonly Peer[] {
    const { holder, next } = this.#holders[slot] ?? {};
    return [this.#given.get(slot), holder, next].filter((peer) => peer !== undefined);
  }

  assigned(number: number, self: string, holders: readonly SlotHolders[]): void {
    const { clock } = this.#options;
    const generation: Generation = {
      number,
      self,
      holders,
      began: clock.now(),
      told: new Map(),
      knowsEnding: this.#told.ending,
      mayGive: true,
      mayTake: true,
      hasGiven: false,
    };
    this.#generation = generation;
    this.#holders = holders;
    this.#given.clear();
    this.#slots.forEach((slot, index) => {
      const { holder, next } = holders[index] ?? {};
      if (holder?.id === self) {
        // No other process can get the slot.
        if (this.#told.avoided.has(index)) this.#avoided.delete(index);
        slot.hold(number);
        if (generation.knowsEnding && next === undefined) this.#give(generation, index);
        return;
      }
      slot.lose();
      if (holder !== undefined && next?.id === self) void this.#take(generation, index, holder);
      else slot.abandon();
    });
    this.#afterHandover(() => {
      this.#endHandovers(generation);
    });
  }

  /** Before a join: waits for the slots that are being given up, for a short time, and keeps the others. */
  async finish(): Promise<void> {
    const generation = this.#generation;
    if (generation !== undefined) generation.mayGive = false;
    await atMost(this.#options.clock, FINISH_MS, Promise.all(this.#giving));
    for (const slot of this.#slots) slot.keep();
  }

  /** The request to join is sent next. */
  joining(): void {
    this.#told = { ending: this.#isEnding, avoided: new Set(this.#avoided) };
    if (this.#generation !== undefined) this.#generation.mayTake = false;
  }

  /** The session has ended: other processes may hold the slots. */
  loseAll(): void {
    this.#generation = undefined;
    for (const slot of this.#slots) {
      slot.lose();
      slot.abandon();
    }
  }

  /** A next process asks for a slot; undefined: this process doesn't hand it over in this generation. */
  ask(slot: number, number: number): readonly string[] | undefined {
    const generation = this.#generation;
    const own = this.#slots[slot];
    if (generation?.number !== number || generation.holders[slot]?.next === undefined) return undefined;
    if (own?.phase === "giving") return [...(generation.told.get(slot) ?? [])];
    if (own?.phase !== "serving" || !generation.mayGive) return undefined;
    const names = this.#options.service.names(slot);
    const told = generation.told.get(slot);
    generation.told.set(slot, new Set(names));
    if (names.every((name) => told?.has(name) === true)) this.#give(generation, slot);
    return names;
  }

  /** The holder gives the slot to this process. */
  given(slot: number, number: number): boolean {
    const generation = this.#generation;
    const own = this.#slots[slot];
    if (own === undefined || generation?.number !== number) return false;
    if (generation.holders[slot]?.next?.id !== generation.self) return false;
    // The same message again.
    if (own.since !== undefined) return true;
    if (!generation.mayTake || !this.#options.isFresh()) return false;
    this.#changes += 1;
    own.hold(number);
    return true;
  }

  /** Hands over all slots. Resolves when this process holds none. */
  async end(): Promise<void> {
    this.#isEnding = true;
    const before = this.#generation;
    this.#options.rejoin();
    const { clock } = this.#options;
    // Without a new assignment no process may ask: then the slots are given up all the same.
    this.#afterHandover(() => {
      if (this.#generation === before && before !== undefined) this.#giveAll(before);
    });
    while (this.#slots.some(({ since }) => since !== undefined) || this.#giving.size > 0) {
      await pause(clock, ASK_AGAIN_MS);
    }
    for (const cancel of this.#timers) cancel();
  }

  #afterHandover(action: () => void): void {
    const cancel = this.#options.clock.after(HANDOVER_MS, () => {
      this.#timers.delete(cancel);
      action();
    });
    this.#timers.add(cancel);
  }

  /** Asks the holder for the slot until it gives it up, or refuses it for too long. */
  async #take(generation: Generation, index: number, holder: Peer): Promise<void> {
    const { clock, peers } = this.#options;
    const slot = this.#slots[index];
    const prepared = new Set<string>();
    const isCurrent = (): boolean => this.#generation === generation && slot?.since === undefined;
    while (isCurrent()) {
      const names = await peers.ask(holder, index, generation.number).catch(() => undefined);
      if (!isCurrent()) return;
      if (names === undefined) {
        if (clock.now() - generation.began >= HANDOVER_MS) break;
        await pause(clock, ASK_AGAIN_MS);
        continue;
      }
      const missing = names.filter((name) => !prepared.has(name));
      if (missing.length === 0) return;
      for (const name of missing) prepared.add(name);
      await slot?.prepare(missing).catch(() => undefined);
    }
    if (isCurrent()) slot?.abandon();
  }

  #give(generation: Generation, index: number): void {
    const giving = this.#giveNow(generation, index)
      .catch((error: unknown) => {
        this.#options.onError(asGatewayError(error));
      })
      .then(() => {
        this.#giving.delete(giving);
        this.#tellGroup(generation);
      });
    this.#giving.add(giving);
  }

  async #giveNow(generation: Generation, index: number): Promise<void> {
    if ((await this.#slots[index]?.give()) !== true) return;
    generation.hasGiven = true;
    this.#changes += 1;
    const next = generation.holders[index]?.next;
    if (next === undefined || this.#generation !== generation) return;
    const isTaken = await this.#options.peers.given(next, index, generation.number).catch(() => false);
    if (isTaken && this.#generation === generation) this.#given.set(index, next);
  }

  /** The time for handovers of this generation is over. */
  #endHandovers(generation: Generation): void {
    if (this.#generation !== generation) return;
    if (generation.knowsEnding) this.#giveAll(generation);
    this.#tellGroup(generation);
  }

  #giveAll(generation: Generation): void {
    this.#slots.forEach(({ phase }, index) => {
      if (phase === "serving" || phase === "fencing") this.#give(generation, index);
    });
  }

  /** Joins again, once for all slots that were given up in this generation. */
  #tellGroup(generation: Generation): void {
    const { clock, rejoin } = this.#options;
    if (this.#generation !== generation || !generation.hasGiven || this.#giving.size > 0) return;
    const isOver = clock.now() - generation.began >= HANDOVER_MS;
    const isExpected = this.#slots.some(
      ({ since }, index) =>
        since !== undefined &&
        generation.holders[index]?.next !== undefined &&
        generation.holders[index].holder?.id === generation.self,
    );
    if (isExpected && !isOver) return;
    generation.hasGiven = false;
    // A process that ends leaves the group instead.
    if (!this.#isEnding) rejoin();
  }
}

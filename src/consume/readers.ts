/**
 * The readers' groups of the slots that this process holds: what `src/home` serves for `reading.topic`. Each API that reads
 * with groups is a `ReaderApi`, which `createReaders` gets.
 *
 * How an API reads: a receiving process sends `home.call(group, {path: api.path + …, body: {"group": …, …}})`; the API gets
 * the call with its `ReaderGroup`, calls `group.claim(use)` before the first read, subscribes with
 * `group.reader.subscribe(topic, …)`, hands out only while `group.isHeld`, the subscription's `silence` is 1 or less, and answers
 * without records only if its `isCurrent`. When it has nothing to read any more it calls `group.release(use)`. What must
 * outlive the process is stored with `group.records.put`; `opened` gets the records in the next home.
 */
import { asGatewayError, GatewayError } from "../errors.ts";
import type { SlotLog, SlotService } from "../home/contract.ts";
import type { PeerAnswer, PeerCall } from "../home/peers/peers.ts";
import { atMost, type Clock } from "../lib/clock.ts";
import { createGroupReader, type GroupReaderOptions } from "./group-reader.ts";
import { type GroupUse, ReaderGroup } from "./reader-group.ts";
import { SlotRecords } from "./slot-records.ts";
import { startOffsetsOf } from "./start-offsets.ts";

export interface ReaderApi {
  /** Its calls have this path, or a path that begins with it. */
  readonly path: string;
  /** This process holds the slot. Called again when `slot.records` was replaced by what the log really has. */
  opened?(slot: ReaderSlot): Promise<void>;
  /** Rejects with SLOT_MOVED if `closed` ends the call. */
  serve(call: ReaderCall): Promise<PeerAnswer>;
  /**
   * Ends the waiting calls of the slot before it returns. `handed-over`: also appends what the next home needs; the caller
   * waits 8 s at most. Then the members leave their groups: their subscriptions are revoked, and commit.
   */
  closed(slot: ReaderSlot, reason: "handed-over" | "lost"): Promise<void>;
}

export interface ReaderSlot {
  readonly slot: number;
  readonly records: SlotRecords;
  /**
   * The group of this name, which must belong to the slot. An unclaimed group may be another object after an `await`: ask for
   * it again then.
   */
  group(name: string): ReaderGroup;
  /** The groups that this kind of reader uses. */
  claimed(kind: GroupUse["kind"]): readonly ReaderGroup[];
}

export interface ReaderCall extends Pick<PeerCall, "path" | "waitMs" | "signal"> {
  /** The parsed body, as the receiving process has made it. */
  readonly body: unknown;
  readonly group: ReaderGroup;
}

/** Times in milliseconds. */
export interface ReadersOptions {
  readonly broker: GroupReaderOptions["broker"];
  readonly clock: Clock;
  readonly sessionTimeout: number;
  readonly groupIdle: number;
  readonly maxGroups: number;
  /** As `Home.holds`. */
  readonly holds: (slot: number) => boolean;
  /** As `Home.isMember`. Without it no group is joined: the process may not know yet that it has lost the slots. */
  readonly isMember: () => boolean;
  readonly apis: readonly ReaderApi[];
  /** A fault from which the readers recover by themselves. */
  readonly onError: (error: GatewayError) => void;
}

export interface Readers extends SlotService {
  /** Groups of which this process is a member. */
  readonly groups: number;
}

/** Milliseconds that a handover waits for the members of the next process, and for the ends of answers. */
const HANDOVER_MS = 8000;

export const createReaders = (options: ReadersOptions): Readers => new GroupReaders(options);

class GroupReaders implements Readers {
  readonly #options: ReadersOptions;
  readonly #slots = new Map<number, OpenSlot>();
  readonly #members = new Set<ReaderGroup>();

  constructor(options: ReadersOptions) {
    this.#options = options;
  }

  get groups(): number {
    return this.#members.size;
  }

  names(slot: number): readonly string[] {
    return this.#slots.get(slot)?.names() ?? [];
  }

  async prepare(slot: number, names: readonly string[]): Promise<void> {
    const own = this.#slot(slot);
    const prepared = Promise.all(names.map((name) => own.group(name).prepare()));
    await atMost(this.#options.clock, HANDOVER_MS, prepared);
  }

  async abandon(slot: number): Promise<void> {
    const own = this.#slots.get(slot);
    this.#slots.delete(slot);
    own?.stop();
    await own?.close();
  }

  async open(slot: number, log: SlotLog, records: ReadonlyMap<string, Buffer>): Promise<void> {
    const own = this.#slot(slot);
    own.records.opened(log, records);
    for (const api of this.#options.apis) await api.opened?.(own);
    own.opened();
  }

  async serve(slot: number, { path, body, waitMs, signal }: PeerCall): Promise<PeerAnswer> {
    const own = this.#slots.get(slot);
    const api = this.#options.apis.find((one) => path.startsWith(one.path));
    if (own === undefined) throw new GatewayError("SLOT_MOVED");
    if (api === undefined) throw new GatewayError("ROUTE_UNKNOWN");
    const parsed = JSON.parse(body.toString()) as { readonly group: string };
    return api.serve({ path, body: parsed, group: own.group(parsed.group), waitMs, signal });
  }

  async close(slot: number, reason: "handed-over" | "lost"): Promise<void> {
    const own = this.#slots.get(slot);
    if (own === undefined) return;
    this.#slots.delete(slot);
    own.stop();
    const closing = Promise.all(this.#options.apis.map((api) => api.closed(own, reason))).catch(
      (error: unknown) => {
        this.#options.onError(asGatewayError(error));
      },
    );
    // Without the slot nothing may wait for this: the process may get the slot again meanwhile.
    if (reason === "lost") void own.close();
    else {
      await atMost(this.#options.clock, HANDOVER_MS, closing);
      await own.close();
    }
  }

  #slot(slot: number): OpenSlot {
    const known = this.#slots.get(slot);
    if (known !== undefined) return known;
    const created = new OpenSlot(slot, (name, records) => this.#createGroup(slot, name, records));
    this.#slots.set(slot, created);
    return created;
  }

  #createGroup(slot: number, name: string, records: SlotRecords): ReaderGroup {
    const { broker, clock, sessionTimeout, groupIdle, holds, isMember: mayJoin, onError } = this.#options;
    const starts = startOffsetsOf(records, name);
    const group: ReaderGroup = new ReaderGroup({
      ...{ name, slot, records, clock, groupIdle, holds, onError },
      createReader: () =>
        createGroupReader({ broker, clock, group: name, sessionTimeout, starts, mayJoin, onError }),
      admit: () => {
        this.#admit();
      },
      onMember: (isMember) => {
        if (isMember) this.#members.add(group);
        else this.#members.delete(group);
      },
    });
    return group;
  }

  #admit(): void {
    if (this.#members.size < this.#options.maxGroups) return;
    const uses = [...this.#members].flatMap(({ use }) => (use === undefined ? [] : [use]));
    const ended = longestIdleOfLargest(uses);
    if (ended === undefined)
      throw new GatewayError("OVERLOADED", {
        message: `reading.maxGroups (${this.#options.maxGroups}) groups are being read`,
      });
    ended.end();
  }
}

class OpenSlot implements ReaderSlot {
  readonly slot: number;
  readonly records = new SlotRecords();
  readonly #createGroup: (name: string, records: SlotRecords) => ReaderGroup;
  readonly #groups = new Map<string, ReaderGroup>();
  #isStopped = false;

  constructor(slot: number, createGroup: (name: string, records: SlotRecords) => ReaderGroup) {
    this.slot = slot;
    this.#createGroup = createGroup;
  }

  group(name: string): ReaderGroup {
    const known = this.#groups.get(name);
    if (known !== undefined) return known;
    this.#forgetFree();
    const group = this.#createGroup(name, this.records);
    if (this.#isStopped) group.stop();
    this.#groups.set(name, group);
    return group;
  }

  claimed(kind: GroupUse["kind"]): readonly ReaderGroup[] {
    return [...this.#groups.values()].filter(({ use }) => use?.kind === kind);
  }

  names(): readonly string[] {
    return [...this.#groups].flatMap(([name, { state }]) => (state === "free" ? [] : [name]));
  }

  opened(): void {
    for (const group of this.#groups.values()) group.opened();
  }

  stop(): void {
    this.#isStopped = true;
    for (const group of this.#groups.values()) group.stop();
  }

  async close(): Promise<void> {
    await Promise.all([...this.#groups.values()].map((group) => group.close()));
    await this.records.closed();
  }

  #forgetFree(): void {
    for (const [name, { state }] of this.#groups) if (state === "free") this.#groups.delete(name);
  }
}

/** undefined: no use is idle. */
const longestIdleOfLargest = (uses: readonly GroupUse[]): GroupUse | undefined => {
  const sizes = new Map<string, number>();
  for (const { owner } of uses) sizes.set(owner, (sizes.get(owner) ?? 0) + 1);
  const idle = uses.filter(({ idleSince }) => idleSince !== undefined);
  return idle.reduce<GroupUse | undefined>((best, one) => {
    if (best === undefined) return one;
    const more = (sizes.get(one.owner) ?? 0) - (sizes.get(best.owner) ?? 0);
    return more > 0 || (more === 0 && (one.idleSince ?? 0) < (best.idleSince ?? 0)) ? one : best;
  }, undefined);
};

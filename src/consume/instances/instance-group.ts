/**
 * The consumer instances of one group in its home. The group's one member takes the partitions of all topics; here they are
 * divided in ranges among the instances.
 */
import type { Broker } from "../../broker/broker.ts";
import { asGatewayError, GatewayError } from "../../errors.ts";
import type { SlotRecord } from "../../home/contract.ts";
import { atMost, type Clock, pause } from "../../lib/clock.ts";
import type { MemoryBudget } from "../../lib/memory-budget.ts";
import type { ReaderSlot } from "../readers.ts";
import { startOffsetsOf } from "../start-offsets.ts";
import { Cursor } from "./cursor.ts";
import { GroupMember } from "./group-member.ts";
import { type Commit, conflict, type Instance, keyOf, positionOf } from "./instance.ts";
import { partitionsOf, rangesAmong } from "./ranges.ts";
import { ASSIGNMENT_MS, type NamedPartition, type NamedTopic } from "./requests.ts";
import { createStarts, type Starts } from "./starts.ts";
import { encodeInstance, encodePosition, instanceRecord, withoutInstance } from "./stored.ts";
import type { Subscription } from "./stored.ts";

export interface InstanceGroupOptions {
  readonly broker: Pick<Broker, "read" | "committed" | "watermarks">;
  readonly clock: Clock;
  readonly memory: Pick<MemoryBudget, "tryTake" | "give">;
  readonly makeRoom: () => void;
  readonly onCommitFailed: () => void;
  readonly onError: (error: GatewayError) => void;
}

const AGAIN_MS = 100;

export class InstanceGroup {
  readonly name: string;
  readonly slot: ReaderSlot;
  readonly instances = new Map<string, Instance>();
  readonly #options: InstanceGroupOptions;
  readonly #starts: Starts;
  /** Aborted when the slot is closed. */
  readonly #closed = new AbortController();
  readonly #member: GroupMember;

  constructor(name: string, slot: ReaderSlot, options: InstanceGroupOptions) {
    this.name = name;
    this.slot = slot;
    this.#options = options;
    const offsets = startOffsetsOf(slot.records, name);
    this.#starts = createStarts({ ...options, group: name, records: slot.records, offsets });
    this.#member = new GroupMember({
      group: name,
      slot,
      idleSince: () => this.#idleSince(),
      onAssigned: () => {
        this.#divide();
        for (const instance of this.instances.values()) instance.wake();
      },
      onLost: () => {
        this.#loseAll();
      },
    });
  }

  /** Ends waiting calls when the slot is closed. */
  get signal(): AbortSignal {
    return this.#closed.signal;
  }

  /** Throws GROUP_IN_USE if `consume/batch` reads the group. */
  check(): void {
    this.slot.group(this.name).require("instances");
  }

  find(name: string, owner: string): Instance {
    const instance = this.instances.get(name);
    if (instance?.owner === owner) return instance;
    throw new GatewayError("INSTANCE_UNKNOWN");
  }

  async create(instance: Instance): Promise<void> {
    this.instances.set(instance.name, instance);
    try {
      await this.#put([
        { name: instanceRecord(this.name, instance.name), value: encodeInstance(instance.stored) },
      ]);
    } catch (error) {
      this.instances.delete(instance.name);
      throw error;
    }
    instance.isStored = true;
  }

  async remove(instance: Instance): Promise<void> {
    await this.#put(withoutInstance(this.slot.records, this.name, instance.name));
    this.forget(instance);
  }

  /** The instance is in the log no more. */
  forget(instance: Instance): void {
    instance.deleted.abort();
    this.instances.delete(instance.name);
    this.#drop(instance, [...instance.cursors.values()]);
    this.update();
  }

  /** Stores what the instance reads from now on. */
  async subscribe(
    instance: Instance,
    subscription: Subscription,
    topics: readonly NamedTopic[],
  ): Promise<void> {
    if (subscription.kind !== "none") this.#member.claim(instance.owner);
    const stored = { ...instance.stored, subscription };
    await this.#put([{ name: instanceRecord(this.name, instance.name), value: encodeInstance(stored) }]);
    instance.subscription = subscription;
    this.setTopics(instance, topics);
  }

  setTopics(instance: Instance, topics: readonly NamedTopic[]): void {
    instance.topics = topics;
    this.update();
    instance.wake();
  }

  /** The cursors of the instance; undefined: the group has assigned nothing at present, or this process may not answer. */
  cursorsOf(instance: Instance): readonly Cursor[] | undefined {
    return this.#isSettled(instance) ? instance.inRotation() : undefined;
  }

  /** Resolves when the partitions of the instance are known. Rejects with BROKER_UNAVAILABLE at the deadline. */
  async settled(instance: Instance, signal: AbortSignal, deadline: number): Promise<void> {
    if (this.#member.claim(instance.owner)) this.update();
    const { clock } = this.#options;
    while (!this.#isSettled(instance)) {
      signal.throwIfAborted();
      const left = deadline - clock.now();
      if (left <= 0)
        throw new GatewayError("BROKER_UNAVAILABLE", { cause: "the group has assigned nothing" });
      await atMost(clock, Math.min(left, AGAIN_MS), instance.changed(), signal);
    }
  }

  /** Resolves when the group has the positions. Rejects with INSTANCE_CONFLICT or BROKER_UNAVAILABLE. */
  async commit(
    instance: Instance,
    commits: readonly Commit[],
    signal: AbortSignal,
    waitMs = ASSIGNMENT_MS,
  ): Promise<void> {
    const { clock } = this.#options;
    const deadline = clock.now() + waitMs;
    if (commits.length === 0) return;
    for (;;) {
      await this.settled(instance, signal, deadline);
      for (const { cursor } of commits)
        if (instance.cursorOf(cursor.of) !== cursor) throw conflict("The partition has been assigned again");
      try {
        await this.#member.commit(commits.map(positionOf));
        break;
      } catch (error) {
        this.#options.onCommitFailed();
        if (clock.now() >= deadline || asGatewayError(error).code !== "BROKER_UNAVAILABLE") throw error;
        await pause(clock, AGAIN_MS, signal);
      }
    }
    for (const { cursor, offset } of commits) cursor.hasCommitted(offset);
    this.#forgetPositions(
      instance,
      commits.map(({ cursor }) => cursor),
    );
  }

  /** Stores the positions of a seek, then applies them. */
  async seek(
    instance: Instance,
    positions: readonly { readonly cursor: Cursor; readonly offset: bigint }[],
  ): Promise<void> {
    await this.#put(
      positions.map(({ cursor, offset }) => ({
        name: instance.seekRecord(this.name, cursor),
        value: encodePosition({ offset, committed: cursor.committed, isDue: true }),
      })),
    );
    for (const { cursor, offset } of positions) cursor.seek(offset);
    instance.wake();
  }

  /** Divides the partitions again, and asks the group for the topics that the instances read. */
  update(): void {
    if (this.signal.aborted) return;
    const reading = [...this.instances.values()].filter(({ subscription }) => subscription.kind !== "none");
    if (reading.length === 0) this.#member.release();
    else this.#member.take(new Set(reading.flatMap(({ topics }) => topics.map(({ topic }) => topic))));
    this.#divide();
  }

  /** The slot was opened: goes on with the instances that were stored. */
  restore(): void {
    this.#starts.restore();
    const first = [...this.instances.values()].find(({ subscription }) => subscription.kind !== "none");
    if (first === undefined) return;
    try {
      this.#member.claim(first.owner);
    } catch (error) {
      // The next call of an instance tries again.
      this.#options.onError(asGatewayError(error));
    }
    this.update();
  }

  /** Ends the calls. `isPlanned`: also waits for the ends of answers, and stores the positions. */
  async close(isPlanned: boolean): Promise<void> {
    this.#closed.abort();
    for (const instance of this.instances.values()) instance.wake();
    if (isPlanned) await this.#storeEnds();
    for (const instance of this.instances.values())
      for (const cursor of instance.cursors.values()) cursor.close();
  }

  dropBuffers(): void {
    for (const instance of this.instances.values())
      if (!instance.isActive) for (const cursor of instance.cursors.values()) cursor.dropBuffer();
  }

  async #storeEnds(): Promise<void> {
    const all = [...this.instances.values()];
    // A position counts only as long as the group has the committed offset that is stored with it.
    await Promise.all([this.#member.committed(), ...all.map((instance) => instance.answered())]);
    await this.#put([...this.#starts.unused(), ...all.flatMap((instance) => instance.ends(this.name))]);
  }

  async #put(records: readonly SlotRecord[]): Promise<void> {
    await this.slot.records.put(records);
  }

  #idleSince(): number | undefined {
    const all = [...this.instances.values()];
    return all.some(({ isActive }) => isActive)
      ? undefined
      : Math.max(...all.map(({ lastCall }) => lastCall));
  }

  #loseAll(): void {
    for (const instance of this.instances.values()) {
      for (const cursor of instance.cursors.values()) cursor.close();
      instance.cursors.clear();
      instance.wake();
    }
  }

  #isSettled({ topics }: Instance): boolean {
    return !this.signal.aborted && this.#member.isSettled(topics);
  }

  #divide(): void {
    const { partitions } = this.#member;
    if (partitions === undefined) return;
    const ranges = rangesAmong(this.instances.values(), partitions);
    for (const instance of this.instances.values()) {
      const own = partitionsOf(instance, ranges.get(instance.name) ?? []);
      const wanted = new Set(own.map(keyOf));
      const dropped = [...instance.cursors.values()].filter(({ of }) => !wanted.has(keyOf(of)));
      const added = own.filter((of) => !instance.cursors.has(keyOf(of)));
      if (dropped.length + added.length === 0) continue;
      this.#drop(instance, dropped);
      for (const of of added) instance.cursors.set(keyOf(of), this.#cursor(instance, of));
      instance.wake();
    }
  }

  #cursor(instance: Instance, of: NamedPartition): Cursor {
    const { broker, clock, memory, makeRoom, onError } = this.#options;
    const at = { ...of, instance: instance.name, reset: instance.settings.reset };
    return new Cursor({
      ...{ of, broker, clock, memory, makeRoom, onError },
      start: () => this.#starts.startOf(at),
      existing: (offset, committed) => this.#starts.existing(at, offset, committed),
      onRead: () => {
        instance.wake();
      },
    });
  }

  /** The partitions are not the instance's own any more. */
  #drop(instance: Instance, cursors: readonly Cursor[]): void {
    for (const cursor of cursors) {
      cursor.close();
      instance.cursors.delete(keyOf(cursor.of));
    }
    this.#forgetPositions(instance, cursors);
  }

  #forgetPositions(instance: Instance, cursors: readonly Cursor[]): void {
    const names = cursors
      .map((cursor) => instance.seekRecord(this.name, cursor))
      .filter((name) => this.slot.records.get(name) !== undefined);
    this.#put(names.map((name) => ({ name, value: null }))).catch(this.#options.onError);
  }
}

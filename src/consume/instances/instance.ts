/** One consumer instance in its home: what it reads, where it is in each partition, and its last answer. */
import { compileReadable } from "../../auth/permissions.ts";
import type { GroupPosition } from "../../broker/positions.ts";
import { GatewayError } from "../../errors.ts";
import type { SlotRecord } from "../../home/contract.ts";
import type { Cursor } from "./cursor.ts";
import type { NamedPartition, NamedTopic } from "./requests.ts";
import { encodePosition, positionRecord, type StoredInstance, type Subscription } from "./stored.ts";

export const keyOf = ({ topic, partition }: Pick<NamedPartition, "topic" | "partition">): string =>
  `${topic}/${partition}`;

/** A position to commit, of a partition that the instance reads. */
export interface Commit {
  readonly cursor: Cursor;
  /** The next offset to read. */
  readonly offset: bigint;
  readonly metadata: string;
}

export class Instance {
  readonly name: string;
  readonly #stored: StoredInstance;
  subscription: Subscription;
  /** The topics of the subscription; of a pattern those that it matched last. */
  topics: readonly NamedTopic[];
  readonly cursors = new Map<string, Cursor>();
  /** The instance's record is in the log. */
  isStored: boolean;
  /** Aborted when the instance is deleted. */
  readonly deleted = new AbortController();
  /** Milliseconds since the epoch at which the last call ended. */
  lastCall: number;
  #active = 0;
  #turn: Promise<unknown> = Promise.resolve();
  #answer: Promise<void> | undefined;
  #rotation = 0;
  #readable: { readonly text: string; readonly may: (station: string) => boolean } | undefined;
  #wake = (): void => undefined;
  #changed: Promise<void> = Promise.resolve();

  constructor(name: string, stored: StoredInstance, { now, isStored }: { now: number; isStored: boolean }) {
    this.name = name;
    this.isStored = isStored;
    this.#stored = stored;
    this.subscription = stored.subscription;
    this.topics = stored.subscription.kind === "topics" ? stored.subscription.topics : [];
    this.lastCall = now;
    this.wake();
  }

  get owner(): string {
    return this.#stored.owner;
  }

  get requestId(): string {
    return this.#stored.requestId;
  }

  get settings(): StoredInstance["settings"] {
    return this.#stored.settings;
  }

  get stored(): StoredInstance {
    return { ...this.#stored, subscription: this.subscription };
  }

  get isActive(): boolean {
    return this.#active > 0;
  }

  /** Counts as a call of the client, so that the instance does not expire. */
  async during<T>(now: () => number, work: () => Promise<T>): Promise<T> {
    this.#active += 1;
    try {
      return await work();
    } finally {
      this.#active -= 1;
      this.lastCall = now();
    }
  }

  /** Runs the work after the work of earlier calls. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  /** Resolves at the next change: a read has ended, or the partitions are others. */
  changed(): Promise<void> {
    return this.#changed;
  }

  wake(): void {
    this.#wake();
    this.#changed = new Promise((resolve) => (this.#wake = resolve));
  }

  /** Resolves when the last answer has ended. */
  async answered(): Promise<void> {
    await this.#answer;
  }

  /** An answer is on its way to the client until the returned function is called. */
  answering(): () => void {
    let onEnd = (): void => undefined;
    this.#answer = new Promise((resolve) => (onEnd = resolve));
    return onEnd;
  }

  /** The cursors, beginning with another one at each read, so that no partition starves. */
  inRotation(): readonly Cursor[] {
    const all = [...this.cursors.values()];
    this.#rotation += 1;
    const first = all.length === 0 ? 0 : this.#rotation % all.length;
    return [...all.slice(first), ...all.slice(0, first)];
  }

  /** What it has read and not committed. */
  due(): readonly Commit[] {
    return [...this.cursors.values()].flatMap((cursor) =>
      cursor.due === undefined ? [] : [{ cursor, offset: cursor.due, metadata: "" }],
    );
  }

  /** The name of the record of a seek. */
  seekRecord(group: string, { of }: Cursor): string {
    return positionRecord("seek", { ...of, group, instance: this.name });
  }

  /** The records of its positions at a planned end of the process. */
  ends(group: string): readonly SlotRecord[] {
    return [...this.cursors.values()].flatMap(({ of, position, committed, due }) => {
      if (position === undefined) return [];
      const name = positionRecord("end", { ...of, group, instance: this.name });
      return [{ name, value: encodePosition({ offset: position, committed, isDue: due !== undefined }) }];
    });
  }

  /** Throws STATION_FORBIDDEN if the caller may no longer read a station. */
  requireRight(readable: readonly (readonly string[])[]): void {
    const { may } = this.#rightsOf(readable);
    const named = this.subscription.kind === "assigned" ? this.subscription.partitions : this.topics;
    const forbidden =
      this.subscription.kind === "pattern" ? undefined : named.find(({ station }) => !may(station));
    if (forbidden === undefined) return;
    throw new GatewayError("STATION_FORBIDDEN", {
      message: `${this.owner} is not allowed to read ${forbidden.name}`,
    });
  }

  #rightsOf(readable: readonly (readonly string[])[]) {
    const text = JSON.stringify(readable);
    if (this.#readable?.text !== text) this.#readable = { text, may: compileReadable(readable) };
    return this.#readable;
  }

  /** Its own partition. Throws INSTANCE_CONFLICT. */
  cursorOf(partition: NamedPartition): Cursor {
    const cursor = this.cursors.get(keyOf(partition));
    if (cursor !== undefined) return cursor;
    throw conflict(
      `Partition ${partition.partition} of ${partition.name} is not assigned to the consumer instance ${this.name}`,
    );
  }

  /** Throws INSTANCE_CONFLICT. */
  requireReading(): void {
    if (this.subscription.kind === "none")
      throw conflict(`The consumer instance ${this.name} has no subscription and no assignment`);
  }
}

export const conflict = (message: string): GatewayError => new GatewayError("INSTANCE_CONFLICT", { message });

export const positionOf = ({ cursor, offset, metadata }: Commit): GroupPosition => ({
  topic: cursor.of.topic,
  partition: cursor.of.partition,
  offset,
  metadata,
});

/** Chooses the partition of each new event, and keeps the events of each partition until a group takes them. */
import { partitionOfKey } from "../../broker/partitions.ts";
import { GatewayError } from "../../errors.ts";
import { MAX_ENTRIES, type TopicRef } from "../slot-records.ts";
import type { Entry } from "./calls.ts";
import { AGAIN_MS, type CoreContext, drop, partitionName } from "./context.ts";
import type { TopicView } from "./port.ts";

export interface Queue {
  readonly topic: TopicRef;
  readonly partition: number;
  leader: number;
  /** The lowest offset that the next event can get; a lower number does no harm. undefined: not known. */
  end: number | undefined;
  /** By the monotonic clock: when the end is asked for; Infinity: the answer has not come yet. */
  askAt: number;
  /** An append of this slot to the partition has no outcome yet. */
  isBusy: boolean;
  waiting: Entry[];
}

export interface Batch {
  readonly queue: Queue;
  readonly entries: readonly Entry[];
}

/** Maximum number of ids in a group. */
const GROUP_IDS = 10 * MAX_ENTRIES;
/** Assumed for a record's headers and its head. */
const RECORD_BYTES = 200;

export class Queues {
  readonly #context: CoreContext;
  readonly #queues = new Map<string, Queue>();
  /** The queues of a view, by partition: finding a queue by its name takes longer. */
  readonly #byView = new WeakMap<TopicRef, (Queue | undefined)[]>();
  /** The partition of the next events without a key, and the bytes of those that have joined its queue. */
  #turn = 0;
  #turnBytes = 0;
  /** `take` has dropped events: what has waited for their ids may be queued now. */
  hasDropped = false;

  constructor(context: CoreContext) {
    this.#context = context;
  }

  get isEmpty(): boolean {
    for (const { waiting } of this.#queues.values()) if (waiting.length > 0) return false;
    return true;
  }

  /** Queues a new event, or answers it if it has no partition with a leader. */
  join(entry: Entry): void {
    const { calls, open } = this.#context;
    const { topic } = entry.call.call;
    const partition = this.#partitionOf(entry, topic);
    if (partition === undefined) {
      calls.answer(entry, { status: "unavailable" });
      return;
    }
    if (partition < 0 || partition >= topic.leaders.length) {
      calls.answer(entry, { status: "refused", error: new GatewayError("PARTITION_UNKNOWN") });
      return;
    }
    const leader = topic.leaders[partition];
    if (leader === undefined) {
      calls.answer(entry, { status: "unavailable" });
      return;
    }
    calls.hold(entry);
    open.reserve(entry);
    const queue = this.#queueIn(topic, partition);
    queue.leader = leader;
    queue.waiting.push(entry);
  }

  /** undefined: no partition has a leader. */
  #partitionOf(entry: Entry, view: TopicView): number | undefined {
    const { key, partition } = entry.event.record;
    if (partition !== undefined) return partition;
    if (key === null) return this.#anyPartition(entry, view);
    return view.leaders.length === 0 ? undefined : partitionOfKey(key, view.leaders.length);
  }

  /**
   * Events without a key share a partition until a group takes them: a group with one large batch costs less than one with
   * small batches. The partition is one for which no event has to wait, if there is one.
   */
  #anyPartition(entry: Entry, view: TopicView): number | undefined {
    const { length } = view.leaders;
    let chosen: number | undefined;
    for (let tries = 0; tries < length; tries += 1) {
      const partition = (this.#turn + tries) % length;
      if (view.leaders[partition] === undefined) continue;
      chosen ??= partition;
      if (!isReady(this.#queueIn(view, partition))) continue;
      chosen = partition;
      break;
    }
    if (chosen === undefined) return undefined;
    if (chosen !== this.#turn) this.#turnTo(chosen);
    this.#turnBytes += sizeOf(entry);
    // More would not fit into the batch.
    if (this.#turnBytes >= this.#context.options.batchBytes) this.#turnTo(chosen + 1);
    return chosen;
  }

  #turnTo(partition: number): void {
    this.#turn = partition;
    this.#turnBytes = 0;
  }

  #queueIn(view: TopicView, partition: number): Queue {
    const known = this.#byView.get(view);
    const queues = known ?? new Array<Queue | undefined>(view.leaders.length);
    if (known === undefined) this.#byView.set(view, queues);
    return (queues[partition] ??= this.#queueOf(view, partition));
  }

  #queueOf(topic: TopicRef, partition: number): Queue {
    const name = partitionName(topic, partition);
    const known = this.#queues.get(name);
    if (known !== undefined) return known;
    const { name: topicName, id } = topic;
    const queue: Queue = {
      topic: { name: topicName, id },
      partition,
      leader: 0,
      end: undefined,
      askAt: -Infinity,
      isBusy: false,
      waiting: [],
    };
    this.#queues.set(name, queue);
    return queue;
  }

  /** The end of a partition that clients see; undefined: it could not be read, and is asked for again. */
  endKnown(topic: TopicRef, partition: number, end: number | undefined): void {
    const queue = this.#queueOf(topic, partition);
    queue.end ??= end;
    queue.askAt = this.#context.port.monotonic() + AGAIN_MS;
  }

  /** When an end must be asked for again. */
  get nextAskAt(): number {
    let nextAt = Infinity;
    for (const { end, waiting, askAt } of this.#queues.values())
      if (end === undefined && waiting.length > 0) nextAt = Math.min(nextAt, askAt);
    return nextAt;
  }

  /** Takes the events of the next group, and makes their partitions busy. */
  take(): readonly Batch[] {
    const { port } = this.#context;
    const batches: Batch[] = [];
    this.hasDropped = false;
    let left = GROUP_IDS;
    for (const queue of this.#queues.values()) {
      if (queue.isBusy || queue.waiting.length === 0 || left === 0) continue;
      if (queue.end === undefined) {
        this.#dropEnded(queue);
        this.#askEnd(queue, port.monotonic());
        continue;
      }
      const entries = this.#takeFrom(queue, left);
      if (entries.length === 0) continue;
      left -= entries.length;
      queue.isBusy = true;
      if (queue.partition === this.#turn) this.#turnTo(queue.partition + 1);
      batches.push({ queue, entries });
    }
    return batches;
  }

  #askEnd(queue: Queue, time: number): void {
    if (queue.waiting.length === 0 || time < queue.askAt) return;
    queue.askAt = Infinity;
    this.#context.port.askEnd(queue.topic, queue.partition);
  }

  /** Drops the events that were answered meanwhile. */
  #dropEnded(queue: Queue): void {
    const { calls } = this.#context;
    const isEnded = (entry: Entry): boolean => calls.isAnswered(entry) || entry.chain.hasFailed;
    const dropped = queue.waiting.filter(isEnded);
    if (dropped.length === 0) return;
    queue.waiting = queue.waiting.filter((entry) => !isEnded(entry));
    for (const entry of dropped) drop(this.#context, entry);
    this.hasDropped = true;
  }

  #takeFrom(queue: Queue, most: number): readonly Entry[] {
    const { options } = this.#context;
    const taken: Entry[] = [];
    const left: Entry[] = [];
    let bytes = 0;
    let isFull = false;
    this.#dropEnded(queue);
    for (const entry of queue.waiting) {
      if (isFull || entry.chain.unknown > 0) left.push(entry);
      else {
        taken.push(entry);
        bytes += sizeOf(entry);
        isFull = taken.length >= most || bytes >= options.batchBytes;
      }
    }
    queue.waiting = left;
    for (const entry of taken) entry.state = "intended";
    return taken;
  }

  /** The batch has no intents: its events are the first ones of the next group. */
  putBack({ queue, entries }: Batch): void {
    for (const entry of entries) entry.state = "queued";
    queue.waiting = [...entries, ...queue.waiting];
    queue.isBusy = false;
  }
}

/** True: the next group takes the events of the queue, or an event is needed so that the end is asked for. */
const isReady = ({ isBusy, end, waiting }: Queue): boolean =>
  !isBusy && (end !== undefined || waiting.length === 0);

const sizeOf = ({ event: { record } }: Entry): number =>
  RECORD_BYTES + (record.value?.length ?? 0) + (record.key?.length ?? 0);

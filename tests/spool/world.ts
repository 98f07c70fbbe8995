/**
 * A pod with its main process, workers, folders and drainer, one topic of a Kafka, and clients: all in one thread, without time.
 * A test chooses each step. An event is a call of its own.
 */
import type { AppendOutcome } from "../../src/broker/broker.ts";
import { GatewayError } from "../../src/errors.ts";
import {
  type BatchEnd,
  type BatchLimits,
  createProgress,
  nextBatch,
  type Progress,
  settleBatch,
  type Source,
} from "../../src/spool/drain-batch.ts";
import type { FromDrainer, FromPod, ToDrainer, ToPod } from "../../src/spool/messages.ts";
import { PodTopic } from "../../src/spool/pod-topic.ts";
import { isRefusal } from "../../src/spool/refused.ts";
import type { SpooledEvent } from "../../src/spool/segment-reader.ts";
import { WorkerTopic } from "../../src/spool/worker-topic.ts";

export type Random = (below: number) => number;

export interface Event {
  readonly id: number;
  readonly client: Client;
  readonly sentAt: number;
  answeredAt: number;
  /** Kafka's answer was lost, or a process was killed with the event in flight: it may be stored twice. */
  mayDouble: boolean;
  entry: Spooled | undefined;
}

/** Waits for each answer, or sends several events to one worker without waiting. */
export interface Client {
  readonly key: number;
  readonly events: Event[];
  readonly isStream: boolean;
  worker: Worker | undefined;
  open: number;
}

interface Spooled extends SpooledEvent {
  readonly event: Event;
  isFlushed: boolean;
}

interface Folder {
  readonly run: number;
  readonly entries: Spooled[];
  isLive: boolean;
}

interface Append {
  readonly event?: Event;
  readonly drained?: DrainedBatch;
}

interface DrainedBatch {
  readonly spooled: readonly Spooled[];
  readonly end: BatchEnd;
  readonly round: number | undefined;
}

/** The drainer reads the folders one after the other. */
interface Reading {
  readonly until: BatchLimits["until"];
  readonly round: number | undefined;
  readonly unread: Folder[];
  readonly sources: Source[];
}

export interface Worker {
  readonly id: number;
  readonly topic: WorkerTopic<Event>;
  readonly folder: Folder;
  readonly inbox: FromPod[];
  readonly outbox: ToPod[];
  queue: Append[];
  inFlight: readonly Append[];
  readonly writes: Event[][];
  isHeldLong: boolean;
}

const RECORD = { key: null, value: null, headers: [], timestamp: 0 };
const STORED: AppendOutcome = { status: "stored", partition: 0, offset: 0n, timestamp: 0 };
const UNAVAILABLE: AppendOutcome = { status: "failed", error: new GatewayError("BROKER_UNAVAILABLE") };
const UNKNOWN: AppendOutcome = { status: "failed", error: new GatewayError("BROKER_AMBIGUOUS") };

export class World {
  readonly log: Event[] = [];
  readonly late: Event[][] = [];
  readonly clients: Client[] = [];
  readonly trace: string[] = [];
  workers: Worker[] = [];
  folders: Folder[] = [];
  isUp = true;
  isDiskFull = false;
  pod: PodTopic;
  drainer: Worker | undefined;
  progress: Progress;
  isDraining = false;
  readonly toDrainer: ToDrainer[] = [];
  readonly fromDrainer: FromDrainer[] = [];
  batch: DrainedBatch | undefined;
  reading: Reading | undefined;
  #run = 1;
  /** When the machine was started. Its monotonic clock begins at 0. */
  #boot = 0;
  #ids = 0;
  #events = 0;
  now = 1;
  readonly #random: Random;
  readonly #seesUnflushed: boolean;

  constructor(random: Random, workers: number) {
    this.#random = random;
    this.#seesUnflushed = random(2) === 0;
    this.pod = this.#newPod();
    this.progress = this.#newProgress();
    for (let i = 0; i < workers; i += 1) this.startWorker();
    this.drainer = this.workers[0];
    for (let key = 0; key < 3; key += 1)
      this.clients.push({ key, events: [], isStream: key === 0, worker: undefined, open: 0 });
  }

  #newPod(): PodTopic {
    return new PodTopic({
      tell: (id, message) => this.workers.find((worker) => worker.id === id)?.inbox.push(message),
      tellDrainer: (message) => this.toDrainer.push(message),
      workers: () => this.workers.map(({ id }) => id),
    });
  }

  #newProgress(): Progress {
    return createProgress((message) => this.fromDrainer.push(message));
  }

  startWorker(): Worker {
    const folder: Folder = { run: this.#run, entries: [], isLive: true };
    const outbox: ToPod[] = [];
    const worker: Worker = {
      ...{ id: (this.#ids += 1), folder, outbox, inbox: [], queue: [], inFlight: [], writes: [] },
      isHeldLong: false,
      topic: new WorkerTopic<Event>({
        send: (event) => worker.queue.push({ event }),
        write: (events) => {
          this.#write(worker, events);
        },
        answer: (event) => {
          this.#answer(event);
        },
        tell: (message) => outbox.push(message),
        seal: () => undefined,
        startHoldTimer: () => {
          worker.isHeldLong = true;
        },
      }),
    };
    this.folders.push(folder);
    this.workers.push(worker);
    this.pod.onWorkerStarted(worker.id);
    // The channel delivers the state of the topic before the first connection.
    for (let message = worker.inbox.shift(); message !== undefined; message = worker.inbox.shift())
      worker.topic.onMessage(message);
    return worker;
  }

  #write(worker: Worker, events: readonly Event[]): void {
    const isSent = new Set(worker.inFlight.map(({ event }) => event));
    worker.queue = worker.queue.filter(({ event }) => event === undefined || !events.includes(event));
    for (const event of events) {
      const entry = { seq: 0, stamp: (this.now += 1) - this.#boot, time: 0, record: RECORD };
      event.entry = { entry, isOpen: isSent.has(event), bytes: 1, isDone: false, event, isFlushed: false };
      if (this.#seesUnflushed) worker.folder.entries.push(event.entry);
    }
    worker.writes.push([...events]);
  }

  #answer(event: Event): void {
    if (event.answeredAt !== 0) return;
    event.answeredAt = this.now += 1;
    event.client.open -= 1;
  }

  #fail(event: Event): void {
    if (event.answeredAt === 0) event.client.open -= 1;
    event.answeredAt ||= -1;
  }

  /** A client sends its next event. */
  request(client: Client): void {
    const { isStream, events } = client;
    if (client.open >= (isStream ? 3 : 1) || events.length >= 8 || this.workers.length === 0) return;
    if (!isStream || client.open === 0 || client.worker === undefined)
      client.worker = this.workers[this.#random(this.workers.length)];
    const sentAt = (this.now += 1);
    const event: Event = {
      ...{ id: (this.#events += 1), client, sentAt, answeredAt: 0, mayDouble: false },
      entry: undefined,
    };
    events.push(event);
    client.open += 1;
    this.trace.push(`key ${client.key} sends ${event.id} to ${client.worker?.id}`);
    client.worker?.topic.onCall(event);
  }

  /** One write of the worker to its folder ends. */
  flush(worker: Worker): void {
    const events = worker.writes.shift();
    if (events === undefined) return;
    const isStored = !this.isDiskFull;
    for (const event of events) {
      const { entry } = event;
      if (entry === undefined) continue;
      entry.isFlushed = isStored;
      if (isStored && !this.#seesUnflushed) worker.folder.entries.push(entry);
      if (!isStored) {
        const at = worker.folder.entries.indexOf(entry);
        // A reader that has read the entry already drains it.
        if (at >= 0) worker.folder.entries.splice(at, 1);
        this.#fail(event);
      }
      worker.topic.onWritten(event, isStored);
    }
  }

  /** The worker's append begins, or ends with random outcomes: one for each key, because a key has one partition. */
  append(worker: Worker): void {
    if (worker.inFlight.length === 0) {
      worker.inFlight = worker.queue.splice(0, 1 + this.#random(3));
      return;
    }
    const appends = worker.inFlight;
    worker.inFlight = [];
    const kinds = new Map<number, number>();
    const outcomeOf = (event: Event): AppendOutcome => {
      const { key } = event.client;
      if (!kinds.has(key)) kinds.set(key, this.isUp ? (this.#random(8) === 0 ? 2 : 0) : 1 + this.#random(4));
      return this.#append(event, kinds.get(key) ?? 0);
    };
    this.#lateGroups.clear();
    for (const { event, drained } of appends) {
      if (event !== undefined) this.#settle(worker, event, outcomeOf(event));
      else if (drained !== undefined)
        this.#drained(
          drained,
          drained.spooled.map((spooled) => outcomeOf(spooled.event)),
        );
    }
  }

  readonly #lateGroups = new Map<number, Event[]>();

  /** 0: stored. 1: not stored. 2: stored, and the answer is lost. 3: not stored, and no answer. 4: stored later, and no answer. */
  #append(event: Event, kind: number): AppendOutcome {
    if (kind > 1) event.mayDouble = true;
    if (kind === 0 || kind === 2) this.log.push(event);
    if (kind === 4) {
      const group = this.#lateGroups.get(event.client.key) ?? [];
      if (group.length === 0) this.late.push(group);
      group.push(event);
      this.#lateGroups.set(event.client.key, group);
    }
    return kind === 0 ? STORED : kind === 1 ? UNAVAILABLE : UNKNOWN;
  }

  #settle(worker: Worker, event: Event, outcome: AppendOutcome): void {
    const isStored = outcome.status === "stored";
    if (event.entry !== undefined) {
      event.entry.isOpen = false;
      if (isStored) {
        event.entry.isDone = true;
        this.#answer(event);
      }
      return;
    }
    if (isStored) {
      this.#answer(event);
      worker.topic.onSent(event);
    } else worker.topic.onTrouble();
  }

  /** What a reader of the folder sees now. */
  #sourceOf({ run, entries, isLive }: Folder): Source {
    const seen = [...entries];
    let taken = 0;
    return {
      run,
      reader: {
        isAtEnd: true,
        get head() {
          while (seen[taken]?.isDone === true) taken += 1;
          const head = seen[taken];
          if (head !== undefined && !isLive) head.isOpen = false;
          return head;
        },
        shift: () => seen[taken++],
      },
    };
  }

  /** The drainer lists the folders, reads one of them, or sends its next batch. */
  drain(): void {
    if (!this.isDraining || this.batch !== undefined || this.drainer === undefined) return;
    if (this.reading === undefined) {
      const until = { run: this.#run, stamp: this.now - this.#boot };
      this.reading = { until, round: this.progress.round, unread: [...this.folders], sources: [] };
      return;
    }
    const { unread, sources, until, round } = this.reading;
    const folder = unread.shift();
    if (folder !== undefined) {
      sources.push(this.#sourceOf(folder));
      return;
    }
    this.reading = undefined;
    const limits = { maxRecords: 1 + this.#random(3), maxBytes: Infinity, until };
    const { events, end } = nextBatch(sources, limits);
    if (events.length > 0) {
      this.batch = { spooled: events as readonly Spooled[], end, round };
      this.drainer.queue.push({ drained: this.batch });
    } else this.progress.onBatch({ left: 0, end, round });
  }

  #drained({ spooled, end, round }: DrainedBatch, outcomes: readonly AppendOutcome[]): void {
    const { hasFailed } = settleBatch(spooled, outcomes, isRefusal);
    this.batch = undefined;
    const left = spooled.filter(({ isDone }) => !isDone).length;
    if (!hasFailed) this.progress.onBatch({ left, end, round });
  }

  /** Events that are in a folder and are not done. */
  get left(): number {
    return this.folders.reduce((sum, { entries }) => sum + entries.filter(({ isDone }) => !isDone).length, 0);
  }

  /** Delivers one message of one channel. False: this channel has none. */
  deliver(): void {
    const channels = this.workers.length * 2 + 2;
    const channel = this.#random(channels);
    const worker = this.workers[channel >> 1];
    if (worker === undefined) this.#deliverDrainer(channel % 2 === 0);
    else if (channel % 2 === 0) {
      const message = worker.inbox.shift();
      if (message !== undefined) worker.topic.onMessage(message);
    } else {
      const message = worker.outbox.shift();
      if (message !== undefined) this.pod.onMessage(worker.id, message);
    }
  }

  #deliverDrainer(isToPod: boolean): void {
    if (isToPod) {
      const message = this.fromDrainer.shift();
      if (message !== undefined) this.pod.onDrainer(message);
      return;
    }
    const message = this.toDrainer.shift();
    if (message === undefined) return;
    this.isDraining = message.type !== "rest";
    this.progress.onMessage(message);
  }

  /** kill -9: messages that were sent may be lost, and so are writes that were not flushed. */
  kill(worker: Worker): void {
    this.trace.push(`kills ${worker.id}`);
    for (let lost = this.#random(worker.outbox.length + 1); worker.outbox.length > lost;) {
      const message = worker.outbox.shift();
      if (message !== undefined) this.pod.onMessage(worker.id, message);
    }
    this.workers = this.workers.filter((other) => other !== worker);
    worker.folder.isLive = false;
    if (!this.#seesUnflushed && this.#random(2) === 0)
      for (const { entry } of worker.writes.flat())
        if (entry !== undefined) worker.folder.entries.push(entry);
    for (const entry of worker.folder.entries) if (entry.isOpen) entry.event.mayDouble = true;
    this.#abandon(worker);
    this.#breakConnections(worker);
    this.pod.onWorkerEnded(worker.id);
    if (this.drainer === worker) this.#appoint();
    if (this.left > 0) this.pod.onDrainer({ type: "found" });
  }

  #breakConnections(worker: Worker): void {
    for (const { events } of this.clients.filter((client) => client.worker === worker))
      for (const event of events) if (event.answeredAt === 0) this.#fail(event);
  }

  /** What was in flight arrives at Kafka at once, later, or not at all. */
  #abandon({ inFlight }: Worker): void {
    const kind = this.#random(3);
    const events = inFlight.flatMap(({ event, drained }) =>
      event === undefined ? (drained?.spooled ?? []).map((spooled) => spooled.event) : [event],
    );
    for (const event of events) event.mayDouble = true;
    if (kind === 0) this.log.push(...events);
    else if (kind === 1 && events.length > 0) this.late.push(events);
  }

  #appoint(): void {
    this.drainer = this.workers[0];
    this.batch = this.reading = undefined;
    this.isDraining = false;
    this.progress = this.#newProgress();
    this.toDrainer.length = this.fromDrainer.length = 0;
    this.pod.onNewDrainer();
  }

  /** kill -9 of all processes of the pod, and a new start on the same directory. */
  killPod(workers: number): void {
    this.trace.push("kills the pod");
    for (const worker of [...this.workers]) this.kill(worker);
    this.#run += 1;
    if (this.#random(2) === 0) this.#boot = this.now;
    this.pod = this.#newPod();
    this.toDrainer.length = this.fromDrainer.length = 0;
    this.isDraining = false;
    this.folders = this.folders.filter(({ entries }) => entries.some(({ isDone }) => !isDone));
    if (this.left > 0) this.pod.onDrainer({ type: "found" });
    for (let i = 0; i < workers; i += 1) this.startWorker();
    this.drainer = this.workers[0];
    this.batch = this.reading = undefined;
    this.progress = this.#newProgress();
  }

  /** Bytes that a killed process or a broken connection has left arrive at Kafka. */
  arrive(): void {
    const events = this.late.shift();
    if (events !== undefined && this.isUp) this.log.push(...events);
  }

  heldLong(worker: Worker): void {
    if (!worker.isHeldLong) return;
    worker.isHeldLong = false;
    worker.topic.onHeldLong();
  }
}

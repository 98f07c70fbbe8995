/** Sends the events of all folders to Kafka, topic by topic, and deletes them. One process of a pod has the drainer. */
import type { AppendOutcome, BrokerRecord } from "../broker/broker.ts";
import type { ErrorCode, GatewayError } from "../errors.ts";
import { type Clock, pause } from "../lib/clock.ts";
import type { Semaphore } from "../lib/semaphore.ts";
import { type Folder, topicDirectory } from "./directory.ts";
import {
  type Batch,
  type BatchLimits,
  createProgress,
  type Drained,
  nextBatch,
  type Progress,
  settleBatch,
  type Source,
} from "./drain-batch.ts";
import type { SpoolFiles } from "./files.ts";
import type { FromDrainer, ToDrainer } from "./messages.ts";
import { keepRefused, type RefusedEvent } from "./refused.ts";
import type { Damage } from "./segment-reader.ts";
import { TopicReader } from "./topic-reader.ts";
import { TopicRefusals, type TopicRefusalsOptions } from "./topic-refusals.ts";

/** Appends the events to the topic, one outcome for each. Never rejects. An event with an id goes to its home. */
export type DrainAppend = (
  topic: string,
  records: readonly BrokerRecord[],
) => Promise<readonly AppendOutcome[]>;

export interface DrainObserver {
  drained(events: number): void;
  /** The records are in `refused/` of a folder. */
  refused(topic: string, events: number, error: GatewayError): void;
  /** Kafka refuses the topic, and its events wait until that is final. */
  waits(topic: string, code: ErrorCode): void;
  readonly damaged: (damage: Damage & { readonly file: string }) => void;
  /** A file could not be read or written; the drainer tries again. */
  failed(topic: string, error: unknown): void;
}

export interface DrainerOptions extends Pick<TopicRefusalsOptions, "prepare" | "refusedAfterMs"> {
  readonly files: SpoolFiles;
  readonly clock: Clock;
  /** All folders that exist now. A folder is the same object in each list. */
  readonly folders: () => Promise<readonly Folder[]>;
  /** Called with the bytes that were added to the files of a folder, or deleted: then the number is negative. */
  readonly changed: (folder: Folder, bytes: number) => void;
  /** The stamp of an event that would come to the spool now. */
  readonly now: () => BatchLimits["until"];
  readonly append: DrainAppend;
  readonly limits: Omit<BatchLimits, "until">;
  /** Limits the number of topics of which events are in memory or in flight: half of the append budget. */
  readonly turns: Semaphore;
  readonly tell: (topic: string, message: FromDrainer) => void;
  readonly observer: DrainObserver;
}

interface FolderSource extends Source {
  readonly folder: Folder;
  readonly reader: TopicReader;
}

/** Maximum number of batches until another topic gets a turn. */
const TURN_BATCHES = 16;
/** Milliseconds. */
const IDLE_MS = 10;
const FIRST_BACK_OFF_MS = 100;
const LONGEST_BACK_OFF_MS = 1000;
/** Milliseconds after a return to Kafka that took too long, until the next one is tried. */
const RETURN_AGAIN_MS = 1000;

/** Drains one topic from a `drain` message to a `rest` message. */
export class TopicDrain {
  readonly #options: DrainerOptions;
  readonly #topic: string;
  readonly #progress: Progress;
  readonly #refusals: TopicRefusals;
  readonly #sources = new Map<Folder, FolderSource>();
  readonly #stopping = new AbortController();
  #isActive = false;
  #wake = new AbortController();
  #running: Promise<void> | undefined;
  #backOffMs = 0;
  /** Milliseconds of the monotonic clock. */
  #returnsFrom = -Infinity;

  constructor(topic: string, options: DrainerOptions) {
    this.#topic = topic;
    this.#options = options;
    this.#refusals = new TopicRefusals({
      ...{ ...options, topic },
      onRefused: (code) => {
        options.observer.waits(topic, code);
      },
    });
    this.#progress = createProgress((message) => {
      options.tell(topic, message);
    });
  }

  onMessage(message: ToDrainer): void {
    if (this.#progress.round !== undefined && message.type === "drain")
      this.#returnsFrom = this.#options.clock.monotonic() + RETURN_AGAIN_MS;
    this.#progress.onMessage(message);
    this.#isActive = message.type !== "rest";
    this.#wake.abort();
    if (this.#isActive && !this.#stopping.signal.aborted) this.#running ??= this.#run();
  }

  /** Resolves when no append is in flight. */
  async close(): Promise<void> {
    this.#stopping.abort();
    this.#wake.abort();
    await this.#running;
    for (const { reader } of this.#sources.values()) await reader.close();
  }

  async #run(): Promise<void> {
    while (this.#isActive && !this.#stopping.signal.aborted) {
      this.#wake = new AbortController();
      const waitMs = await this.#turn();
      if (waitMs > 0) await pause(this.#options.clock, waitMs, this.#wake.signal);
    }
    this.#running = undefined;
  }

  /** Resolves to the milliseconds until the next turn. */
  async #turn(): Promise<number> {
    try {
      const waitMs = await this.#options.turns.tryRun(() => this.#drain());
      return waitMs ?? IDLE_MS;
    } catch (error) {
      this.#options.observer.failed(this.#topic, error);
      return this.#backOff();
    }
  }

  /** Sends batch after batch of what it reads. Resolves to the milliseconds until the next turn. */
  async #drain(): Promise<number> {
    const { round } = this.#progress;
    const until = this.#options.now();
    const sources = await this.#openSources();
    try {
      let waitMs: number | undefined;
      for (let left = TURN_BATCHES; left > 0 && waitMs === undefined; left -= 1) {
        waitMs = await this.#drainBatch(sources, { until, round });
        if (this.#progress.round !== round || this.#stopping.signal.aborted) break;
      }
      return waitMs ?? 0;
    } finally {
      for (const source of sources) await this.#close(source);
    }
  }

  /** Resolves to the milliseconds until the next turn; undefined: there may be more for this turn. */
  async #drainBatch(
    sources: readonly FolderSource[],
    { until, round }: Pick<BatchLimits, "until"> & Pick<Progress, "round">,
  ): Promise<number | undefined> {
    const { limits, observer, clock } = this.#options;
    for (const { reader } of sources) await reader.fill(limits.maxBytes);
    const batch = nextBatch(sources, { ...limits, until });
    const { stored, hasFailed } = await this.#send(batch);
    for (const { reader } of sources) await reader.note();
    if (stored > 0) observer.drained(stored);
    if (hasFailed) return this.#backOff();
    this.#backOffMs = 0;
    const left = batch.events.filter(({ isDone }) => !isDone).length;
    if (round !== undefined || clock.monotonic() >= this.#returnsFrom)
      this.#progress.onBatch({ left, end: batch.end, round });
    if (batch.events.length === 0 || batch.end === "all") return IDLE_MS;
    return batch.end === "more" ? undefined : 0;
  }

  async #send({ events, from }: Batch<FolderSource>): Promise<Pick<Drained, "stored" | "hasFailed">> {
    if (events.length === 0) return { stored: 0, hasFailed: false };
    if (!(await this.#refusals.prepare())) return { stored: 0, hasFailed: true };
    const records = events.map(({ entry }) => entry.record);
    const outcomes = await this.#options.append(this.#topic, records);
    const drained = settleBatch(events, outcomes, await this.#refusals.judge(outcomes));
    for (const source of new Set(from))
      await this.#keep(
        source,
        drained.refused.filter(({ event }) => from[events.indexOf(event)] === source),
      );
    return drained;
  }

  /** Only records that are in `refused/` are done. */
  async #keep({ folder }: FolderSource, refused: readonly RefusedEvent[]): Promise<void> {
    const { files, changed, observer } = this.#options;
    const [first] = refused;
    if (first === undefined) return;
    changed(folder, await keepRefused(files, folder.path, this.#topic, refused));
    for (const { event } of refused) event.isDone = true;
    observer.refused(this.#topic, refused.length, first.error);
  }

  async #openSources(): Promise<readonly FolderSource[]> {
    const folders = new Set(await this.#options.folders());
    for (const { folder, reader } of this.#sources.values()) {
      if (folders.has(folder)) continue;
      await reader.close();
      this.#sources.delete(folder);
    }
    for (const folder of folders)
      if (!this.#sources.has(folder))
        this.#sources.set(folder, { folder, run: folder.run, reader: this.#readerOf(folder) });
    return [...this.#sources.values()];
  }

  #readerOf(folder: Folder): TopicReader {
    const { files, changed, observer } = this.#options;
    return new TopicReader({
      files,
      directory: topicDirectory(folder.path, this.#topic),
      onDeleted: (bytes) => {
        changed(folder, -bytes);
      },
      isLive: () => folder.isLive,
      isWritten: () => folder.isLive && this.#progress.round === undefined,
      onDamage: observer.damaged,
    });
  }

  /** Between turns a topic has no events in memory: what is not done is read again. */
  async #close({ folder, reader }: FolderSource): Promise<void> {
    await reader.rewind();
    if (!reader.isFinished) return;
    await reader.close();
    this.#sources.delete(folder);
  }

  #backOff(): number {
    this.#backOffMs = Math.min(LONGEST_BACK_OFF_MS, Math.max(FIRST_BACK_OFF_MS, this.#backOffMs * 2));
    return this.#backOffMs;
  }
}

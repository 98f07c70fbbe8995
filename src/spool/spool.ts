/**
 * The spool of a process that is alone in its pod: it is the main process, the only worker and the drainer. The messages between
 * these roles are delivered in their order, each in a turn of its own.
 */
import path from "node:path";
import type { BrokerRecord } from "../broker/broker.ts";
import type { GatewayError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import { createSemaphore } from "../lib/semaphore.ts";
import { readContents, type SpoolContents } from "./contents.ts";
import {
  type Folder,
  folderName,
  openDirectory,
  type OpenedDirectory,
  removeIfEmpty,
  topicDirectory,
} from "./directory.ts";
import { type DrainAppend, type DrainObserver, TopicDrain } from "./drainer.ts";
import { type SpoolFiles, spoolFiles } from "./files.ts";
import { PodTopic } from "./pod-topic.ts";
import { createRoom, type Room } from "./room.ts";
import { type FirstAppend, type SpoolOutcome, TopicCalls } from "./topic-calls.ts";
import { createTopicWriter } from "./topic-writer.ts";

export interface SpoolOptions {
  readonly dir: string;
  readonly maxBytes: number;
  readonly afterMs: number;
  readonly deadlineMs: number;
  readonly batcher: FirstAppend;
  readonly drain: DrainAppend;
  /** Bytes of one append when draining, and of all of them. */
  readonly appendBytes: number;
  readonly drainBytes: number;
  readonly clock: Clock;
  readonly files?: SpoolFiles;
  readonly observer: DrainObserver & {
    /** Events could not be written to the spool. */
    readonly unspooled: (error: GatewayError) => void;
    /** The topic's events go to the spool, or to Kafka again. */
    switched(topic: string, isSpooling: boolean): void;
  };
}

export interface SpoolStatus {
  readonly isSpooling: boolean;
  /** False: the last event did not fit into `maxBytes`. */
  readonly hasRoom: boolean;
}

export interface Spool {
  /** Appends to Kafka or to the spool: one outcome for each record, in order. Never rejects. */
  append(topic: string, records: readonly BrokerRecord[], order?: object): Promise<readonly SpoolOutcome[]>;
  status(): SpoolStatus;
  /** What all folders of the directory hold. Rejects with node's error. */
  contents(): Promise<SpoolContents>;
  /** Resolves when no write and no append of the drainer is in flight. Call it after the last `append` has settled. */
  close(): Promise<void>;
}

/** The parts of one topic. */
interface Topic {
  readonly calls: TopicCalls;
  readonly pod: PodTopic;
  readonly drain: TopicDrain;
}

const MAX_RECORDS = 2000;
/** Topics that are drained at the same time, at most. Each has up to one append of events in memory for each folder. */
const MOST_TOPICS = 8;
const MAX_SEGMENT = 16 * 1024 * 1024;
const MIN_SEGMENT = 64 * 1024;
/** The id of this process as the only worker. */
const SELF = 1;

/** Rejects with SETTINGS_INVALID if the directory can't be used. Draining starts by itself. */
export const openSpool = async (options: SpoolOptions): Promise<Spool> => {
  const files = options.files ?? spoolFiles;
  const room = createRoom(options.maxBytes);
  const opened = await openDirectory(options.dir, files, room);
  const spool = new OwnSpool(options, { files, room, opened });
  for (const topic of opened.topics) spool.found(topic);
  return spool;
};

interface Parts {
  readonly files: SpoolFiles;
  readonly room: Room;
  readonly opened: OpenedDirectory;
}

class OwnSpool implements Spool {
  readonly #options: SpoolOptions;
  readonly #parts: Parts;
  readonly #own: Folder;
  #folders: readonly Folder[];
  readonly #topics = new Map<string, Topic>();
  readonly #turns;

  constructor(options: SpoolOptions, parts: Parts) {
    const { run, folders } = parts.opened;
    this.#options = options;
    this.#parts = parts;
    this.#own = { path: path.join(options.dir, folderName(run, SELF, 1)), run, isLive: true };
    this.#folders = [...folders, this.#own];
    const fitting = Math.floor(options.drainBytes / options.appendBytes);
    const permits = Math.max(1, Math.min(MOST_TOPICS, fitting));
    this.#turns = createSemaphore({ permits, maxWaiting: Infinity });
  }

  append(topic: string, records: readonly BrokerRecord[], order?: object): Promise<readonly SpoolOutcome[]> {
    return this.#topicOf(topic).calls.append(records, order);
  }

  found(topic: string): void {
    this.#topicOf(topic).pod.onDrainer({ type: "found" });
  }

  status(): SpoolStatus {
    return { isSpooling: this.#spooling.size > 0, hasRoom: !this.#parts.room.isFull };
  }

  contents(): Promise<SpoolContents> {
    return readContents(this.#options.dir, this.#parts.files);
  }

  async close(): Promise<void> {
    const topics = [...this.#topics.values()];
    await Promise.all(topics.map(({ drain }) => drain.close()));
    await Promise.all(topics.map(({ calls }) => calls.close()));
    this.#own.isLive = false;
    await this.#removeEmpty();
    await this.#parts.opened.unlock();
  }

  #topicOf(name: string): Topic {
    const known = this.#topics.get(name);
    if (known !== undefined) return known;
    const topic: Topic = {
      calls: this.#callsOf(name),
      drain: this.#drainOf(name),
      pod: new PodTopic({
        tell: (_, message) => {
          this.#post(() => {
            topic.calls.onMessage(message);
          });
        },
        tellDrainer: (message) => {
          if (message.type !== "finish") this.#switched(name, message.type === "drain");
          this.#post(() => {
            topic.drain.onMessage(message);
          });
        },
        workers: () => [SELF],
      }),
    };
    this.#topics.set(name, topic);
    return topic;
  }

  #callsOf(topic: string): TopicCalls {
    const { batcher, clock, afterMs, deadlineMs, maxBytes, observer } = this.#options;
    const { files, room } = this.#parts;
    return new TopicCalls({
      ...{ topic, batcher, clock, afterMs, deadlineMs },
      writer: createTopicWriter({
        ...{ files, room },
        directory: topicDirectory(this.#own.path, topic),
        segmentBytes: Math.max(MIN_SEGMENT, Math.min(MAX_SEGMENT, Math.floor(maxBytes / 16))),
        stamp: microseconds,
        now: () => clock.now(),
      }),
      tell: (message) => {
        this.#post(() => {
          this.#topicOf(topic).pod.onMessage(SELF, message);
        });
      },
      onUnspooled: observer.unspooled,
    });
  }

  #drainOf(name: string): TopicDrain {
    const { clock, drain, appendBytes, observer } = this.#options;
    const { files, room } = this.#parts;
    return new TopicDrain(name, {
      ...{ files, room, clock },
      append: drain,
      folders: () => this.#folders,
      limits: { maxRecords: MAX_RECORDS, maxBytes: appendBytes },
      turns: this.#turns,
      tell: (topic, message) => {
        this.#post(() => {
          this.#topicOf(topic).pod.onDrainer(message);
        });
      },
      observer,
    });
  }

  readonly #spooling = new Set<string>();

  #switched(topic: string, isSpooling: boolean): void {
    if (this.#spooling.has(topic) === isSpooling) return;
    if (isSpooling) this.#spooling.add(topic);
    else this.#spooling.delete(topic);
    this.#options.observer.switched(topic, isSpooling);
    if (this.#spooling.size === 0) void this.#removeEmpty().catch(() => undefined);
  }

  /** Microtasks run in the order in which they are queued. */
  #post(deliver: () => void): void {
    queueMicrotask(deliver);
  }

  /** Removes the folders of earlier runs that are drained and have no refused records. */
  async #removeEmpty(): Promise<void> {
    for (const folder of this.#folders)
      if (!folder.isLive && (await removeIfEmpty(folder, this.#parts.files)))
        this.#folders = this.#folders.filter((other) => other !== folder);
  }
}

const microseconds = (): number => Number(process.hrtime.bigint() / 1000n);

/** The spool in a worker: appends to Kafka or to the worker's folder, and drains all folders if the main process says so. */
import type { BrokerRecord } from "../broker/broker.ts";
import type { GatewayError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import { topicDirectory } from "./directory.ts";
import type { DrainAppend, DrainObserver } from "./drainer.ts";
import { Drains } from "./drains.ts";
import { type SpoolFiles, spoolFiles } from "./files.ts";
import type { FromMain, SpoolChannel } from "./messages.ts";
import { createLease, type Lease } from "./room.ts";
import { type FirstAppend, type SpoolOutcome, TopicCalls } from "./topic-calls.ts";
import type { PrepareTopic } from "./topic-refusals.ts";
import { createTopicWriter } from "./topic-writer.ts";

export interface WorkerSpoolOptions<Event = BrokerRecord> {
  readonly dir: string;
  readonly maxBytes: number;
  readonly afterMs: number;
  readonly deadlineMs: number;
  readonly batcher: FirstAppend<Event>;
  readonly drain: DrainAppend;
  readonly prepare: PrepareTopic;
  /** Milliseconds: `spool.refusedAfter`. */
  readonly refusedAfterMs: number;
  /** Bytes of one append when draining, and of all of them. */
  readonly appendBytes: number;
  readonly drainBytes: number;
  readonly clock: Clock;
  readonly files?: SpoolFiles | undefined;
  readonly channel: SpoolChannel;
  readonly observer: DrainObserver & {
    /** Events could not be written to the spool. */
    readonly unspooled: (error: GatewayError) => void;
  };
}

export interface WorkerReadiness {
  readonly isSpooling: boolean;
  readonly hasRoom: boolean;
}

export interface Spool<Event = BrokerRecord> {
  /** Appends to Kafka or to the spool: one outcome for each event, in order. Never rejects. */
  append(topic: string, events: readonly Event[], order?: object): Promise<readonly SpoolOutcome[]>;
  readiness(): WorkerReadiness;
  /** True: the spool of the pod has events of this topic. */
  isSpooling(topic: string): boolean;
  /** Resolves when no write and no append of the drainer is in flight. Call it after the last `append` has settled. */
  close(): Promise<void>;
}

const MAX_SEGMENT = 16 * 1024 * 1024;
const MIN_SEGMENT = 64 * 1024;

const microseconds = (): number => Number(process.hrtime.bigint() / 1000n);

export class WorkerSpool<Event = BrokerRecord> implements Spool<Event> {
  readonly #options: WorkerSpoolOptions<Event>;
  readonly #files: SpoolFiles;
  readonly #room: Lease;
  readonly #topics = new Map<string, TopicCalls<Event>>();
  readonly #drains: Drains;
  /** By `maxBytes`. */
  #hasRoom = true;
  #isDiskWritable = true;

  constructor(options: WorkerSpoolOptions<Event>) {
    const { channel, clock } = options;
    this.#options = options;
    this.#files = options.files ?? spoolFiles;
    this.#room = createLease({
      ask: (bytes) => {
        channel.send({ type: "room", bytes });
      },
      monotonic: () => clock.monotonic(),
    });
    this.#drains = this.#createDrains();
    channel.listen((message) => {
      this.#onMessage(message);
    });
  }

  append(topic: string, events: readonly Event[], order?: object): Promise<readonly SpoolOutcome[]> {
    return this.#topicOf(topic).append(events, order);
  }

  readiness(): WorkerReadiness {
    return { isSpooling: !this.#isDirect, hasRoom: this.#hasRoom && this.#isDiskWritable };
  }

  isSpooling(topic: string): boolean {
    return this.#topics.get(topic)?.isDirect === false;
  }

  async close(): Promise<void> {
    await this.#drains.close();
    await Promise.all([...this.#topics.values()].map((calls) => calls.close()));
    this.#options.channel.send({ type: "left" });
  }

  get #isDirect(): boolean {
    return [...this.#topics.values()].every(({ isDirect }) => isDirect);
  }

  #onMessage(message: FromMain): void {
    switch (message.type) {
      case "topic":
        this.#topicOf(message.topic).onMessage(message.message);
        if (message.message.type === "direct") this.#returnRoom();
        break;
      case "drainer":
        this.#drains.onMessage(message.topic, message.message);
        break;
      case "ended":
        this.#drains.onEnded(message.folders);
        break;
      case "room":
        this.#hasRoom = message.bytes > 0;
        this.#room.granted(message.bytes);
        break;
      case "disk":
        this.#isDiskWritable = message.isWritable;
        break;
      case "status":
        this.#hasRoom = message.hasRoom;
        this.#options.channel.send({ type: "alive" });
    }
  }

  #topicOf(name: string): TopicCalls<Event> {
    const known = this.#topics.get(name);
    if (known !== undefined) return known;
    const topic = this.#createTopic(name);
    this.#topics.set(name, topic);
    return topic;
  }

  #createTopic(topic: string): TopicCalls<Event> {
    const { batcher, clock, afterMs, deadlineMs, maxBytes, channel, observer } = this.#options;
    return new TopicCalls({
      ...{ topic, batcher, clock, afterMs, deadlineMs },
      writer: createTopicWriter({
        files: this.#files,
        room: this.#room,
        directory: topicDirectory(channel.folder, topic),
        segmentBytes: Math.max(MIN_SEGMENT, Math.min(MAX_SEGMENT, Math.floor(maxBytes / 16))),
        stamp: microseconds,
        now: () => clock.now(),
        onUnwritten: (bytes) => {
          this.#isDiskWritable = false;
          channel.send({ type: "unwritten", bytes });
        },
      }),
      tell: (message) => {
        channel.send({ type: "topic", topic, message });
      },
      onUnspooled: observer.unspooled,
    });
  }

  #createDrains(): Drains {
    const { channel, drain } = this.#options;
    return new Drains({
      ...this.#options,
      ...{ files: this.#files, run: channel.run, stamp: microseconds, append: drain },
      changed: ({ path: folder }, bytes) => {
        channel.send({ type: "changed", folder, bytes });
      },
      tell: (topic, message) => {
        channel.send({ type: "drainer", topic, message });
      },
    });
  }

  /** Another worker may need the room that this one does not use. */
  #returnRoom(): void {
    if (!this.#isDirect) return;
    this.#hasRoom = true;
    const { channel } = this.#options;
    channel.send({ type: "changed", folder: channel.folder, bytes: -this.#room.drop() });
  }
}

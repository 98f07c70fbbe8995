/**
 * The spool in the main process of a pod: it owns the directory, the states of the topics and the room of all workers. It moves no
 * event. One of the workers is the drainer.
 */
import path from "node:path";
import type { Clock } from "../lib/clock.ts";
import { readContents, type SpoolContents } from "./contents.ts";
import { type DiskWatch, watchDisk } from "./disk-watch.ts";
import { contentsOf, folderName, openDirectory, type OpenedDirectory, removeIfEmpty } from "./directory.ts";
import { type SpoolFiles, spoolFiles } from "./files.ts";
import { watchWorkers } from "./liveness.ts";
import type { FromMain, SpoolChannel, ToDrainer, ToMain } from "./messages.ts";
import { PodTopic, type WorkerId } from "./pod-topic.ts";
import { createPodRoom, type PodRoom } from "./room.ts";

export interface PodSpoolOptions {
  readonly dir: string;
  readonly maxBytes: number;
  readonly clock: Clock;
  readonly files?: SpoolFiles | undefined;
  /** Messages to one worker must arrive in the order of the calls, and before its next connection. */
  readonly tell: (worker: WorkerId, message: FromMain) => void;
  /** Ends a worker that does not answer. Then `ended` must be called. */
  readonly kill: (worker: WorkerId) => void;
  readonly observer: PodObserver;
}

export interface PodObserver {
  /** The topic's events go to the spool, or to Kafka again. */
  switched(topic: string, isSpooling: boolean): void;
  /** False: a write to the spool's disk has failed. True: the disk takes writes again. */
  disk(isWritable: boolean): void;
  /** The folder of a worker that has ended can't be read. Its events are drained when its topics are spooled again. */
  unread(folder: string, error: unknown): void;
}

interface Member {
  readonly folder: string;
  /** It gets the states of the topics, and must confirm changes. */
  isStarted: boolean;
}

/** Rejects with SETTINGS_INVALID if the directory can't be used. */
export const openPodSpool = async (options: PodSpoolOptions): Promise<PodSpool> => {
  const files = options.files ?? spoolFiles;
  return new PodSpool(options, files, await openDirectory(options.dir, { ...options, files }));
};

export class PodSpool {
  readonly #options: PodSpoolOptions;
  readonly #files: SpoolFiles;
  readonly #opened: OpenedDirectory;
  readonly #room: PodRoom;
  readonly #disk: DiskWatch;
  readonly #topics = new Map<string, PodTopic>();
  readonly #spooling = new Set<string>();
  readonly #members = new Map<WorkerId, Member>();
  readonly #lives = new Map<number, number>();
  /** Folders of this run whose worker has ended. */
  readonly #ended = new Set<string>();
  #old: readonly string[];
  readonly #watch;
  #drainer: WorkerId | undefined;
  #isClosed = false;

  constructor(options: PodSpoolOptions, files: SpoolFiles, opened: OpenedDirectory) {
    this.#options = options;
    this.#files = files;
    this.#opened = opened;
    this.#room = createPodRoom(options.maxBytes);
    this.#disk = watchDisk({
      ...{ files, directory: options.dir, clock: options.clock },
      onChange: (isWritable) => {
        options.observer.disk(isWritable);
        for (const worker of this.#started) options.tell(worker, { type: "disk", isWritable });
      },
    });
    this.#old = opened.folders.map((folder) => folder.path);
    this.#watch = watchWorkers({
      clock: options.clock,
      workers: () => this.#started,
      ask: (worker) => {
        options.tell(worker, { type: "status", hasRoom: this.#room.hasRoom });
      },
      kill: options.kill,
    });
    for (const { path: folder, bytes, topics } of opened.folders) {
      this.#room.change(folder, bytes);
      for (const topic of topics) this.#topicOf(topic).onDrainer({ type: "found" });
    }
  }

  /** The open file that holds the directory's lock. Workers inherit it, so that the directory is in use until all of them have ended. */
  get lockFile(): number {
    return this.#opened.lock.fd;
  }

  /** A topic is not direct. */
  get isSpooling(): boolean {
    return this.#spooling.size > 0;
  }

  /** Bytes of all folders, and those that workers have reserved. */
  get usedBytes(): number {
    return this.#room.usedBytes;
  }

  /** What all folders hold. Rejects with node's error. */
  contents(): Promise<SpoolContents> {
    return readContents(this.#options.dir, this.#files);
  }

  /** A worker begins to start. `slot` is a number that at most one worker has at a time. */
  begin(worker: WorkerId, slot: number): Pick<SpoolChannel, "folder" | "run"> {
    const { run } = this.#opened;
    const life = (this.#lives.get(slot) ?? 0) + 1;
    this.#lives.set(slot, life);
    const folder = path.join(this.#options.dir, folderName(run, slot, life));
    this.#members.set(worker, { folder, isStarted: false });
    return { folder, run };
  }

  /** The worker listens to its channel. Call it before its first connection. */
  started(worker: WorkerId): void {
    const member = this.#members.get(worker);
    if (member === undefined) return;
    member.isStarted = true;
    if (!this.#disk.isWritable) this.#options.tell(worker, { type: "disk", isWritable: false });
    for (const topic of this.#topics.values()) topic.onWorkerStarted(worker);
    if (this.#drainer === undefined) this.#appoint();
  }

  onMessage(worker: WorkerId, message: ToMain): void {
    const member = this.#members.get(worker);
    // Messages can come after the end of a worker.
    if (member === undefined) return;
    switch (message.type) {
      case "topic":
        this.#topicOf(message.topic).onMessage(worker, message.message);
        break;
      case "drainer":
        if (worker === this.#drainer) this.#topicOf(message.topic).onDrainer(message.message);
        break;
      case "room":
        this.#options.tell(worker, {
          type: "room",
          bytes: this.#room.grant(member.folder, message.bytes, this.#members.size),
        });
        break;
      case "changed":
        this.#room.change(message.folder, message.bytes);
        break;
      case "unwritten":
        this.#disk.failed(message.bytes);
        break;
      case "alive":
        this.#watch.onAnswer(worker);
        break;
      case "left":
        this.ended(worker);
    }
  }

  /** The process of the worker has ended, or spools and drains nothing any more. Further calls have no effect. */
  ended(worker: WorkerId): void {
    const member = this.#members.get(worker);
    if (member === undefined) return;
    this.#members.delete(worker);
    this.#watch.onEnd(worker);
    this.#ended.add(member.folder);
    if (this.#drainer === worker) this.#drainer = undefined;
    else this.#tellEnded();
    for (const topic of this.#topics.values()) topic.onWorkerEnded(worker);
    if (this.#drainer === undefined) this.#appoint();
    if (!this.#isClosed) void this.#findIn(member.folder);
  }

  /** Call it when all workers have ended. Resolves when another process can use the directory. */
  async close(): Promise<void> {
    this.#isClosed = true;
    for (const worker of this.#members.keys()) this.ended(worker);
    this.#watch.stop();
    await this.#disk.close();
    await this.#sweep();
    await this.#opened.lock.unlock();
  }

  get #started(): readonly WorkerId[] {
    return [...this.#members].flatMap(([worker, { isStarted }]) => (isStarted ? [worker] : []));
  }

  /** The worker that was started first drains. */
  #appoint(): void {
    [this.#drainer] = this.#started;
    if (this.#drainer === undefined) return;
    this.#tellEnded();
    for (const topic of this.#topics.values()) topic.onNewDrainer();
  }

  #tellEnded(): void {
    if (this.#drainer !== undefined)
      this.#options.tell(this.#drainer, { type: "ended", folders: [...this.#ended] });
  }

  /** The worker may have been killed before its message `first` came. */
  async #findIn(folder: string): Promise<void> {
    try {
      const { topics } = await contentsOf(folder, this.#files);
      for (const topic of topics) this.#topicOf(topic).onDrainer({ type: "found" });
    } catch (error) {
      this.#options.observer.unread(folder, error);
    }
  }

  #topicOf(name: string): PodTopic {
    const known = this.#topics.get(name);
    if (known !== undefined) return known;
    const { tell } = this.#options;
    const topic = new PodTopic({
      tell: (worker, message) => {
        tell(worker, { type: "topic", topic: name, message });
      },
      tellDrainer: (message) => {
        this.#onDrain(name, message);
      },
      workers: () => this.#started,
    });
    this.#topics.set(name, topic);
    return topic;
  }

  #onDrain(topic: string, message: ToDrainer): void {
    if (this.#drainer !== undefined) this.#options.tell(this.#drainer, { type: "drainer", topic, message });
    if (message.type !== "finish") this.#switched(topic, message.type === "drain");
  }

  #switched(topic: string, isSpooling: boolean): void {
    if (this.#spooling.has(topic) === isSpooling) return;
    if (isSpooling) this.#spooling.add(topic);
    else this.#spooling.delete(topic);
    this.#options.observer.switched(topic, isSpooling);
    if (this.#spooling.size > 0) {
      this.#watch.start();
      return;
    }
    this.#watch.stop();
    void this.#sweep().catch(() => undefined);
  }

  /** Removes the folders that no process writes and that are drained, and corrects the number of their bytes. */
  async #sweep(): Promise<void> {
    for (const folder of [...this.#old, ...this.#ended]) {
      const bytes = await removeIfEmpty(folder, this.#files);
      this.#room.settle(folder, bytes);
      if (bytes > 0) continue;
      this.#old = this.#old.filter((other) => other !== folder);
      this.#ended.delete(folder);
    }
  }
}

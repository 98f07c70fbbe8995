/** The drainer of a pod: one `TopicDrain` for each topic that has events in a folder. */
import { createSemaphore } from "../lib/semaphore.ts";
import { type Folder, foldersIn } from "./directory.ts";
import { TopicDrain, type DrainerOptions } from "./drainer.ts";
import type { FromDrainer, ToDrainer } from "./messages.ts";

export interface DrainsOptions extends Pick<
  DrainerOptions,
  "files" | "clock" | "append" | "changed" | "observer" | "prepare" | "refusedAfterMs"
> {
  readonly dir: string;
  readonly run: number;
  /** Microseconds, as the stamps of the events. */
  readonly stamp: () => number;
  /** Bytes of one append, and of all of them. */
  readonly appendBytes: number;
  readonly drainBytes: number;
  readonly tell: (topic: string, message: FromDrainer) => void;
}

const MAX_RECORDS = 2000;
/** Topics that are drained at the same time, at most. Each has up to two appends of events in memory for each folder. */
const MOST_TOPICS = 8;

export class Drains {
  readonly #options: DrainsOptions;
  readonly #topics = new Map<string, TopicDrain>();
  readonly #turns;
  /** By path. */
  #folders = new Map<string, Folder>();
  /** Folders of this run whose worker has ended. */
  #ended: ReadonlySet<string> = new Set();

  constructor(options: DrainsOptions) {
    this.#options = options;
    const fitting = Math.floor(options.drainBytes / options.appendBytes);
    const permits = Math.max(1, Math.min(MOST_TOPICS, fitting));
    this.#turns = createSemaphore({ permits, maxWaiting: Infinity });
  }

  onMessage(topic: string, message: ToDrainer): void {
    this.#drainOf(topic).onMessage(message);
  }

  /** `folders` are those of this run whose worker has ended. */
  onEnded(folders: readonly string[]): void {
    this.#ended = new Set(folders);
    for (const folder of this.#folders.values()) folder.isLive &&= !this.#ended.has(folder.path);
  }

  /** Resolves when no append is in flight. */
  async close(): Promise<void> {
    await Promise.all([...this.#topics.values()].map((drain) => drain.close()));
  }

  #drainOf(name: string): TopicDrain {
    const known = this.#topics.get(name);
    if (known !== undefined) return known;
    const { run, stamp, appendBytes } = this.#options;
    const drain = new TopicDrain(name, {
      ...this.#options,
      folders: () => this.#list(),
      now: () => ({ run, stamp: stamp() }),
      limits: { maxRecords: MAX_RECORDS, maxBytes: appendBytes },
      turns: this.#turns,
    });
    this.#topics.set(name, drain);
    return drain;
  }

  /** Lists the directory each time: a worker may have written its first event before the main process can say so. */
  async #list(): Promise<readonly Folder[]> {
    const { dir, files, run: thisRun } = this.#options;
    const folders = new Map<string, Folder>();
    for (const { path, run } of await foldersIn(dir, files)) {
      const isLive = run === thisRun && !this.#ended.has(path);
      folders.set(path, this.#folders.get(path) ?? { path, run, isLive });
    }
    this.#folders = folders;
    return [...folders.values()];
  }
}

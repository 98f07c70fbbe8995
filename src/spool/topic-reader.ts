/** Reads the events of one topic from the segments of one folder, in order, and deletes each segment whose events are all done. */
import path from "node:path";
import type { SpoolFiles } from "./files.ts";
import { type Damage, openSegmentReader, type SegmentReader, type SpooledEvent } from "./segment-reader.ts";
import { segmentsIn } from "./segment.ts";

export interface TopicReaderOptions {
  /** The topic's directory in the folder. */
  readonly directory: string;
  readonly files: SpoolFiles;
  /** Called with the bytes of each segment that was deleted. */
  readonly onDeleted: (bytes: number) => void;
  /** False: the process that writes the folder has ended. Its open events count as kept. */
  readonly isLive: () => boolean;
  /** False: nothing is written to the existing segments any more. */
  readonly isWritten: () => boolean;
  readonly onDamage: (damage: Damage & { readonly file: string }) => void;
}

interface OpenSegment {
  readonly file: string;
  readonly reader: SegmentReader;
}

export class TopicReader {
  readonly #options: TopicReaderOptions;
  /** The oldest segment first. Only the last one may be read further. */
  #segments: OpenSegment[] = [];
  #queue: SpooledEvent[] = [];
  #taken = 0;
  /** Bytes in the segments of the events that wait. */
  #waitingBytes = 0;
  #isAtEnd = false;
  /** As of the last `fill`. */
  #isSealed = false;
  #isFinished = false;

  constructor(options: TopicReaderOptions) {
    this.#options = options;
  }

  /** The next event; undefined: none was read. */
  get head(): SpooledEvent | undefined {
    return this.#queue[this.#taken];
  }

  /** True: the last `fill` found no event behind those that it has read. */
  get isAtEnd(): boolean {
    return this.#isAtEnd;
  }

  /** The process that wrote the folder has ended, and all events are done: the topic's directory was removed. */
  get isFinished(): boolean {
    return this.#isFinished;
  }

  /** Takes the head. The caller sets `isDone` and calls `note`. */
  shift(): SpooledEvent | undefined {
    const { head } = this;
    if (head === undefined) return undefined;
    this.#taken++;
    this.#waitingBytes -= head.bytes;
    return head;
  }

  /** Reads more events, if less than `maxBytes` wait. Rejects with node's error. */
  async fill(maxBytes: number): Promise<void> {
    this.#isAtEnd = false;
    this.#queue.splice(0, this.#taken);
    this.#taken = 0;
    while (this.#waitingBytes < maxBytes) if (!(await this.#readMore(maxBytes))) break;
    await this.#lookAtHead();
  }

  /** Writes down what is done, and deletes finished segments. The events that wait stay. */
  async note(): Promise<void> {
    for (const { reader } of this.#segments) await reader.mark();
    const isComplete = this.#isAtEnd && this.#isSealed && this.head === undefined;
    await this.#removeDone(isComplete ? undefined : this.#segments.at(-1));
    this.#isFinished = isComplete && this.#segments.length === 0 && !this.#options.isLive();
    if (this.#isFinished) await this.#options.files.removeEmpty(this.#options.directory);
  }

  /** Forgets all events that are not done, so that `fill` reads them again. Call `note` before. */
  async rewind(): Promise<void> {
    for (const { reader } of this.#segments.splice(1)) await reader.close();
    this.#segments[0]?.reader.rewind();
    this.#queue = [];
    this.#taken = this.#waitingBytes = 0;
  }

  async close(): Promise<void> {
    for (const { reader } of this.#segments.splice(0)) await reader.close();
  }

  /** False: there is nothing more now. */
  async #readMore(maxBytes: number): Promise<boolean> {
    const { directory, files, isWritten } = this.#options;
    this.#isSealed = !isWritten();
    // A segment with a later one beside it gets no further event, so the list is read first.
    const names = segmentsIn(await files.list(directory));
    const last = this.#segments.at(-1);
    const later = names.find((name) => last === undefined || path.join(directory, name) > last.file);
    const isSealed = this.#isSealed || later !== undefined;
    const events = (await last?.reader.read(maxBytes, isSealed)) ?? [];
    for (const event of events) {
      this.#waitingBytes += event.bytes;
      this.#queue.push(event);
    }
    if (events.length > 0) return true;
    this.#isAtEnd = later === undefined;
    if (later !== undefined) await this.#open(path.join(directory, later));
    return later !== undefined;
  }

  async #open(file: string): Promise<void> {
    const reader = await openSegmentReader(await this.#options.files.open(file), (damage) => {
      this.#options.onDamage({ ...damage, file });
    });
    this.#segments.push({ file, reader });
  }

  /** Reads the state of an open head again, and passes events that Kafka has acknowledged late. */
  async #lookAtHead(): Promise<void> {
    for (let { head } = this; head?.isOpen === true; { head } = this) {
      if (!this.#options.isLive()) head.isOpen = false;
      else for (const { reader } of this.#segments) await reader.look(head);
      if (!head.isDone) return;
      this.shift();
    }
  }

  async #removeDone(readFurther: OpenSegment | undefined): Promise<void> {
    const { files, onDeleted } = this.#options;
    for (let [first] = this.#segments; first !== undefined; [first] = this.#segments) {
      if (first === readFurther || !first.reader.isDone) return;
      const size = await files.size(first.file);
      await first.reader.close();
      await files.remove(first.file);
      onDeleted(size);
      this.#segments.shift();
    }
  }
}

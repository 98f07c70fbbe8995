/**
 * A segment: a file with the events of one topic, in order. Its name is the sequence number of its first event. It begins with a
 * head:
 *
 *     magic text, 8 bytes | cursor f64 | passed f64 | done f64 | count f64
 *
 * The cursor is the position of the first event that is not done. `passed` is the number of events before the cursor, `done` the
 * number of all events that are done, `count` the number of events. The drainer writes the first three, the writer of the segment
 * writes the last. None is flushed: after a loss of power it can be too low.
 */
import path from "node:path";
import type { SpoolFile, SpoolFiles } from "./files.ts";

const MAGIC = Buffer.from("SGSPOOL1");
export const HEAD_BYTES = 40;
const CURSOR_AT = 8;
const PASSED_AT = 16;
const DONE_AT = 24;
const COUNT_AT = 32;
const SUFFIX = ".events";
const UNFINISHED = ".new";

const segmentName = (firstSeq: number): string => `${String(firstSeq).padStart(16, "0")}${SUFFIX}`;

/** The segments among the names in a topic's directory, in order. */
export const segmentsIn = (names: readonly string[]): readonly string[] =>
  names.filter((name) => name.endsWith(SUFFIX));

/** A segment without its head. Its process was killed, or has an error. */
export const isUnfinished = (name: string): boolean => name.endsWith(UNFINISHED);

/**
 * Creates the file with its head. Resolves when its entry in the directory is on the disk. A reader finds the file only when it is
 * never removed by the writer any more.
 */
export const createSegment = async (
  files: SpoolFiles,
  directory: string,
  firstSeq: number,
): Promise<SpoolFile> => {
  await files.makeDirectory(directory);
  const name = path.join(directory, segmentName(firstSeq));
  const file = await files.create(name + UNFINISHED);
  try {
    const head = Buffer.alloc(HEAD_BYTES);
    MAGIC.copy(head);
    head.writeDoubleBE(HEAD_BYTES, CURSOR_AT);
    await file.write(head, 0);
    await files.rename(name + UNFINISHED, name);
    await files.syncDirectory(directory);
    return file;
  } catch (error) {
    await file.close().catch(() => undefined);
    await files.remove(name + UNFINISHED).catch(() => undefined);
    throw error;
  }
};

/** What the drainer has noted. */
export interface Marks {
  readonly cursor: number;
  readonly passed: number;
  /** Without events that the drainer has not read. */
  readonly done: number;
}

export interface SegmentHead extends Marks {
  readonly count: number;
}

/** A head that is torn or damaged counts as the head of a segment of which nothing is done. */
export const readHead = async (file: SpoolFile): Promise<SegmentHead> => {
  const head = await file.read(0, HEAD_BYTES);
  if (head.length < HEAD_BYTES || !head.subarray(0, MAGIC.length).equals(MAGIC))
    return { cursor: HEAD_BYTES, passed: 0, done: 0, count: 0 };
  const numberAt = (at: number, least: number): number => {
    const number = head.readDoubleBE(at);
    return Number.isSafeInteger(number) && number >= least ? number : least;
  };
  return {
    cursor: numberAt(CURSOR_AT, HEAD_BYTES),
    passed: numberAt(PASSED_AT, 0),
    done: numberAt(DONE_AT, 0),
    count: numberAt(COUNT_AT, 0),
  };
};

const write = (file: SpoolFile, at: number, ...numbers: readonly number[]): Promise<void> => {
  const bytes = Buffer.alloc(8 * numbers.length);
  for (const [i, number] of numbers.entries()) bytes.writeDoubleBE(number, 8 * i);
  return file.write(bytes, at);
};

export const writeMarks = (file: SpoolFile, { cursor, passed, done }: Marks): Promise<void> =>
  write(file, CURSOR_AT, cursor, passed, done);

export const writeCount = (file: SpoolFile, count: number): Promise<void> => write(file, COUNT_AT, count);

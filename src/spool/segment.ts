/**
 * A segment: a file with the events of one topic, in order. It begins with a head of 16 bytes: a magic text, and the cursor,
 * which is the position of the first event that is not done. A segment's name is the sequence number of its first event.
 */
import path from "node:path";
import type { SpoolFile, SpoolFiles } from "./files.ts";

const MAGIC = Buffer.from("SGSPOOL1");
export const HEAD_BYTES = 16;
const CURSOR_AT = 8;
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

/** The cursor. A head that is torn or damaged counts as the head of a segment of which nothing is done. */
export const readCursor = async (file: SpoolFile): Promise<number> => {
  const head = await file.read(0, HEAD_BYTES);
  if (head.length < HEAD_BYTES || !head.subarray(0, MAGIC.length).equals(MAGIC)) return HEAD_BYTES;
  const cursor = head.readDoubleBE(CURSOR_AT);
  return Number.isSafeInteger(cursor) && cursor >= HEAD_BYTES ? cursor : HEAD_BYTES;
};

export const writeCursor = (file: SpoolFile, cursor: number): Promise<void> => {
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleBE(cursor);
  return file.write(bytes, CURSOR_AT);
};

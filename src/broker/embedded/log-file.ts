/** A look at the file of the log before LMDB maps it: what isn't its own, or isn't all there, ends the process by a signal. */
import { open, type FileHandle } from "node:fs/promises";

/**
 * One of the two meta pages at the head of the file: page header of 24 bytes, then (little-endian, as everything) magic
 * u32, version u32, address u64, map size u64, two databases of 48 bytes each, of which the first begins with the page
 * size, last page u64, transaction u64.
 */
interface Meta {
  readonly isLmdb: boolean;
  readonly version: number;
  readonly pageBytes: number;
  readonly lastPage: bigint;
  readonly transaction: bigint;
}

const META_BYTES = 160;
const MAGIC = 0xbeefc0de;
/** Of the format whose places are given above; another one is left to LMDB. */
const VERSION = 2;
/**
 * Pages at the end that LMDB has freed before it ever wrote them are missing in a sound file too; by measurement seven
 * after a transaction that adds and removes thousands of keys.
 */
const UNWRITTEN_PAGES = 16n;

const readMeta = async (file: FileHandle, at: number): Promise<Meta> => {
  const { buffer } = await file.read(Buffer.alloc(META_BYTES), 0, META_BYTES, at);
  return {
    isLmdb: buffer.readUInt32LE(24) === MAGIC,
    version: buffer.readUInt32LE(28),
    pageBytes: buffer.readUInt32LE(48),
    lastPage: buffer.readBigUInt64LE(144),
    transaction: buffer.readBigUInt64LE(152),
  };
};

const faultOf = async (file: FileHandle): Promise<string | undefined> => {
  const { size } = await file.stat();
  if (size === 0) return undefined;
  const first = await readMeta(file, 0);
  if (!first.isLmdb) return "the log there is damaged, or is none";
  if (first.version !== VERSION) return undefined;
  const second = await readMeta(file, first.pageBytes);
  const isSecondNewer = second.isLmdb && second.transaction > first.transaction;
  const { lastPage, pageBytes } = isSecondNewer ? second : first;
  const missing = (lastPage + 1n) * BigInt(pageBytes) - BigInt(size);
  if (missing <= UNWRITTEN_PAGES * BigInt(pageBytes)) return undefined;
  return `the log there is cut short, ${missing} bytes of it are missing`;
};

/** What is wrong with the file, if anything is; a file that is missing is made, readable by its owner alone. */
export const logFileFault = async (path: string): Promise<string | undefined> => {
  const file = await open(path, "a+", 0o600);
  try {
    return await faultOf(file);
  } finally {
    await file.close();
  }
};

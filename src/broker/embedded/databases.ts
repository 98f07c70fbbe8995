/** The databases in the log's file, opened by LMDB, and opened again where it can't go on after a fault. */
import { type FileHandle, open as openFile } from "node:fs/promises";
import { type Database, open, type RootDatabase } from "lmdb";
import { GatewayError } from "../../errors.ts";

interface StoredTopic {
  readonly id: number;
  readonly partitions: number;
  readonly maxRecordBytes: number;
}

export interface Databases {
  /** By topic id, partition and first offset: a batch as in `record-batch.ts`. */
  readonly batches: Database<Buffer, [number, number, number]>;
  /** By name. */
  readonly topics: Database<StoredTopic, string>;
  /** By group, topic and partition: the next offset to read, with the metadata where there is any. */
  readonly positions: Database<
    number | readonly [offset: number, metadata: string],
    [string, string, number]
  >;
  /** What concerns the log as a whole. */
  readonly meta: Database<number, string>;
}

/** Everything but `isOpen`, `reopen` and `close` throws BROKER_UNAVAILABLE while the file is not open. */
export interface ReopenableDatabases extends Databases {
  readonly isOpen: boolean;
  /** Runs `stage`, whose puts and removes are one transaction; LMDB's own promise and errors. */
  readonly batch: (stage: () => void) => Promise<void>;
  /** Bytes at the head of the file that are in use. */
  readonly usedBytes: () => number;
  /** Closes the file and opens it as the disk has it. Rejects with LMDB's error, and then it is not open. */
  readonly reopen: () => Promise<void>;
  readonly close: () => Promise<void>;
}

interface Opened extends Databases {
  readonly root: RootDatabase;
}

/**
 * Without `overlappingSync` a commit is LMDB's own: it writes the pages, calls fdatasync, then writes the meta page
 * through an O_DSYNC descriptor, and only then settles (seen with strace; with `overlappingSync` a commit settles
 * before the flush). Without `eventTurnBatching` a batch has one promise; with it, lmdb makes a second one that nobody
 * can catch when the commit fails.
 */
const openAll = (file: string): Opened => {
  const root = open({
    path: file,
    noSubdir: true,
    overlappingSync: false,
    eventTurnBatching: false,
    maxDbs: 4,
  });
  return {
    root,
    batches: root.openDB("batches", { encoding: "binary" }),
    topics: root.openDB("topics", {}),
    positions: root.openDB("positions", {}),
    meta: root.openDB("meta", {}),
  };
};

/** Opens the file. Throws LMDB's error. */
export const openDatabases = (file: string): ReopenableDatabases => {
  let opened: Opened | undefined = openAll(file);

  const now = (): Opened => {
    if (opened === undefined) throw new GatewayError("BROKER_UNAVAILABLE");
    return opened;
  };

  const close = async (): Promise<void> => {
    const closing = opened?.root;
    opened = undefined;
    await closing?.close();
  };

  return {
    get isOpen() {
      return opened !== undefined;
    },
    get batches() {
      return now().batches;
    },
    get topics() {
      return now().topics;
    },
    get positions() {
      return now().positions;
    },
    get meta() {
      return now().meta;
    },
    batch: async (stage) => {
      await now().root.batch(stage);
    },
    usedBytes: () => {
      const stats = now().root.getStats() as { readonly lastPageNumber: number; readonly pageSize: number };
      return (stats.lastPageNumber + 1) * stats.pageSize;
    },
    reopen: async () => {
      await close().catch(() => undefined);
      opened = openAll(file);
    },
    close,
  };
};

/** A look at the file of the log before LMDB maps it: what isn't its own, or isn't all there, ends the process by a signal. */

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
  const file = await openFile(path, "a+", 0o600);
  try {
    return await faultOf(file);
  } finally {
    await file.close();
  }
};

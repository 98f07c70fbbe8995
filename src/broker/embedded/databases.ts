/** The LMDB databases of the log's file. They can be reopened after a fault. */
import { type FileHandle, open as openFile } from "node:fs/promises";
import { type Database, open, type RootDatabase } from "lmdb";
import { GatewayError } from "../../errors.ts";

interface StoredTopic {
  readonly id: number;
  /** `LocalTopic.uuid`. Absent: an earlier version created the topic. */
  readonly uuid?: string;
  readonly partitions: number;
  readonly maxRecordBytes: number;
}

export interface Databases {
  /** By topic id, partition and first offset: a batch as in `record-batch.ts`. */
  readonly batches: Database<Buffer, [number, number, number]>;
  /** By topic name. */
  readonly topics: Database<StoredTopic, string>;
  /** By group, topic and partition: the next offset to read, with its metadata if it has any. */
  readonly positions: Database<
    number | readonly [offset: number, metadata: string],
    [string, string, number]
  >;
  /** Data of the whole log. */
  readonly meta: Database<number, string>;
}

/** All members except `isOpen`, `reopen` and `close` throw BROKER_UNAVAILABLE while the file is closed. */
export interface ReopenableDatabases extends Databases {
  readonly isOpen: boolean;
  /** Runs the puts and removes of `stage` in one transaction. Settles as LMDB does, with its errors. */
  readonly batch: (stage: () => void) => Promise<void>;
  /** LMDB uses this many bytes from the start of the file. */
  readonly usedBytes: () => number;
  /** The bytes of pages in this part of the file that contain nothing. LMDB writes them again, most of them with the next commit. */
  readonly reusableBytes: () => number;
  /** Closes the file and opens it again. If that fails, rejects with LMDB's error, and the file stays closed. */
  readonly reopen: () => Promise<void>;
  readonly close: () => Promise<void>;
}

interface Opened extends Databases {
  readonly root: RootDatabase;
}

/**
 * Without `overlappingSync`, a commit writes the pages, calls fdatasync, writes the meta page through an O_DSYNC
 * descriptor, and only then settles (seen with strace). With it, a commit settles before the flush. Without
 * `eventTurnBatching`, a batch has one promise. With it, lmdb creates a second promise whose rejection can't be caught.
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

/** The pages of one tree, and of the whole file. */
interface Stats {
  readonly pageSize: number;
  readonly lastPageNumber: number;
  readonly treeBranchPageCount: number;
  readonly treeLeafPageCount: number;
  readonly overflowPages: number;
  /** The tree of free pages. */
  readonly free: Omit<Stats, "free" | "lastPageNumber">;
}

const META_PAGES = 2;

const statsOf = (database: Pick<Database, "getStats">): Stats => database.getStats() as Stats;

const pagesOf = (tree: Stats["free"]): number =>
  tree.treeBranchPageCount + tree.treeLeafPageCount + tree.overflowPages;

const usedBytes = ({ lastPageNumber, pageSize }: Stats): number => (lastPageNumber + 1) * pageSize;

const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);

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
    usedBytes: () => usedBytes(statsOf(now().root)),
    reusableBytes: () => {
      const { root, ...databases } = now();
      const stats = statsOf(root);
      const trees = [stats, stats.free, ...Object.values(databases).map((database) => statsOf(database))];
      return usedBytes(stats) - (META_PAGES + sum(trees.map(pagesOf))) * stats.pageSize;
    },
    reopen: async () => {
      await close().catch(() => undefined);
      opened = openAll(file);
    },
    close,
  };
};

/**
 * One of the two meta pages at the start of the file: a page header of 24 bytes, then (all little-endian) magic u32, version
 * u32, address u64, map size u64, two databases of 48 bytes each, last page u64, transaction u64. The first database
 * begins with the page size.
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
/** The version with the layout above. Files of other versions are not checked here. */
const VERSION = 2;
/**
 * Even a valid file may lack its last pages: LMDB allocated these pages, and freed them without writing them. In a measurement seven pages were
 * missing after a transaction that added and removed thousands of keys.
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
  if (!first.isLmdb) return "is damaged, or is not a log";
  if (first.version !== VERSION) return undefined;
  const second = await readMeta(file, first.pageBytes);
  const isSecondNewer = second.isLmdb && second.transaction > first.transaction;
  const { lastPage, pageBytes } = isSecondNewer ? second : first;
  const missing = (lastPage + 1n) * BigInt(pageBytes) - BigInt(size);
  if (missing <= UNWRITTEN_PAGES * BigInt(pageBytes)) return undefined;
  return `is truncated: ${missing} bytes are missing`;
};

/**
 * Checks the log's file before LMDB maps it, because a damaged or truncated file makes LMDB end the process with a signal.
 * Resolves to the fault as a predicate, such as "is damaged", or to undefined. Creates a missing file, readable only by its
 * owner.
 */
export const logFileFault = async (path: string): Promise<string | undefined> => {
  const file = await openFile(path, "a+", 0o600);
  try {
    return await faultOf(file);
  } finally {
    await file.close();
  }
};

/** The databases in the log's file, opened by LMDB, and opened again where it can't go on after a fault. */
import { open, type Database, type RootDatabase } from "lmdb";
import { GatewayError } from "../../errors.ts";

export interface StoredTopic {
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

/** The LMDB environment of the log: its file, its databases, its format, and what a commit promises. */
import { constants } from "node:os";
import path from "node:path";
import { open, type Database, type RootDatabase } from "lmdb";
import { GatewayError } from "../../errors.ts";
import { logFileFault } from "./log-file.ts";

const { errno } = constants;

/** Raised whenever what lies in the databases changes its meaning. */
const FORMAT = 1;

interface StoredTopic {
  readonly id: number;
  readonly partitions: number;
  readonly maxRecordBytes: number;
}

export interface Environment {
  /** By topic id, partition and first offset: a batch as in `record-batch.ts`. */
  readonly batches: Database<Buffer, [number, number, number]>;
  /** By name. */
  readonly topics: Database<StoredTopic, string>;
  /** By group, topic and partition: the next offset to read. */
  readonly positions: Database<number, [string, string, number]>;
  /** What concerns the log as a whole. */
  readonly meta: Database<number, string>;
  /**
   * Runs `stage`, whose puts and removes are one transaction, and resolves once it is on the disk. Rejects with
   * BROKER_AMBIGUOUS, or with BROKER_UNAVAILABLE where it is certain that nothing was stored.
   */
  readonly commit: (stage: () => void) => Promise<void>;
  readonly close: () => Promise<void>;
}

const invalid = (directory: string, fault: string, cause?: unknown): GatewayError =>
  new GatewayError("SETTINGS_INVALID", { message: `broker.embedded.dir: ${fault}: ${directory}`, cause });

/** Errors of a write that cannot have reached the meta page, without which the new pages don't count. */
const NOTHING_STORED: readonly unknown[] = [errno.ENOSPC, errno.EDQUOT, errno.EFBIG];

/** lmdb rejects with an error that carries a promise of the real one, which must not be left unhandled. */
const commitFailure = async (error: unknown): Promise<GatewayError> => {
  const { commitError } = error as { commitError?: Promise<never> };
  const cause: unknown = await commitError?.catch((reason: unknown) => reason);
  const { code } = (cause ?? {}) as { code?: unknown };
  return new GatewayError(NOTHING_STORED.includes(code) ? "BROKER_UNAVAILABLE" : "BROKER_AMBIGUOUS", {
    cause: cause ?? error,
  });
};

/**
 * Without `overlappingSync` a commit is LMDB's own: it writes the pages, calls fdatasync, then writes the meta page
 * through an O_DSYNC descriptor, and only then settles (seen with strace; with `overlappingSync` a commit settles
 * before the flush). Without `eventTurnBatching` a batch has one promise; with it, lmdb makes a second one that nobody
 * can catch when the commit fails.
 */
const openRoot = (file: string): RootDatabase =>
  open({ path: file, noSubdir: true, overlappingSync: false, eventTurnBatching: false, maxDbs: 4 });

const committer =
  (root: RootDatabase): Environment["commit"] =>
  async (stage) => {
    try {
      await root.batch(stage);
    } catch (error) {
      throw error instanceof GatewayError ? error : await commitFailure(error);
    }
  };

const settleFormat = async (directory: string, { meta, commit }: Environment): Promise<void> => {
  const format = meta.get("format");
  if (format === undefined) await commit(() => void meta.put("format", FORMAT));
  else if (format > FORMAT) throw invalid(directory, "the log there was written by a newer version");
};

/**
 * Opens the log in a directory that is this process's alone, making what is missing. Rejects with SETTINGS_INVALID
 * where the file is no log, is cut short, or is of a later format.
 */
export const openEnvironment = async (directory: string): Promise<Environment> => {
  const file = path.join(directory, "log.lmdb");
  const fault = await logFileFault(file);
  if (fault !== undefined) throw invalid(directory, fault);
  let root: RootDatabase;
  try {
    root = openRoot(file);
  } catch (error) {
    throw invalid(directory, "the log there cannot be opened", error);
  }
  const environment: Environment = {
    batches: root.openDB("batches", { encoding: "binary" }),
    topics: root.openDB("topics", {}),
    positions: root.openDB("positions", {}),
    meta: root.openDB("meta", {}),
    commit: committer(root),
    close: () => root.close(),
  };
  try {
    await settleFormat(directory, environment);
  } catch (error) {
    await root.close();
    throw error;
  }
  return environment;
};

/** The interfaces between the parts of a reload. `docs/decisions/0006-reload.md` has the protocol. */
import type { Settings } from "../config/schema/schema.ts";
import type { Reloading, ReloadStatus } from "../http/handlers/operations/reload.ts";
import type { TlsFiles } from "./read-tls.ts";

/** How a process that serves reaches the state machine of the main process. */
export type ReloadControl = Reloading;

/** All parts that a process will serve with, while it still serves with the old ones. */
export interface Prepared {
  /** Takes the new settings into use, within this turn of the event loop. Does not throw. */
  swap(): void;
  /** Leaves nothing of what was built. Not called after `swap`. */
  discard(): void;
}

/**
 * Builds from new settings without a change of what is served. Rejects if it can't. Settings that need a restart have the
 * value in use.
 */
export type Prepare = (settings: Settings, tls: TlsFiles) => Promise<Prepared>;

/** What an attempt of a reload wants to serve with, as plain data. Each attempt has its own number. */
export interface Attempt {
  readonly attempt: number;
  readonly settings: Settings;
  readonly tls: TlsFiles;
}

/** All processes that serve. */
export interface Fleet {
  /** Resolves with the faults of the processes that can't swap; none: all that answered can. Never rejects. */
  prepare(attempt: Attempt): Promise<readonly string[]>;
  /** Resolves with the number of processes that serve with the new settings. Never rejects. */
  swap(attempt: number): Promise<number>;
  discard(attempt: number): void;
  /** Number of processes that serve. */
  readonly workers: number;
  /** For `GET /gateway` in each process. */
  show(status: ReloadStatus): void;
}

/** Milliseconds. A process that isn't ready by then can't prepare, for example because its broker does not answer. */
export const PREPARE_LIMIT_MS = 30_000;

/** The fault of such a process. */
export const NOT_READY_IN_TIME = `the new settings were not ready within ${PREPARE_LIMIT_MS / 1000} s`;

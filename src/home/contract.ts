/** What a slot is for, and the log that it gets. The home knows slots, records and calls, but nothing of their meaning. */
import type { PeerAnswer, PeerCall } from "./peers/peers.ts";

/** The records of a slot that this process holds. */
export interface SlotLog {
  /**
   * Stores records; a null value deletes the name. Resolves when all of them are acknowledged, read back, and count.
   * Rejects with SLOT_MOVED if this process doesn't hold the slot any more (they may count), with RECORD_TOO_LARGE, or with
   * BROKER_UNAVAILABLE if they don't count. The records of one call are not atomic: if it rejects, some of them may count.
   */
  put(records: readonly SlotRecord[]): Promise<void>;
}

/** Why `enter` ended: no heartbeat confirms that the process holds the slot, or the process can't append to it. */
export type LogEnd = "moved" | "unusable";

/** The living records of a keyed log, by name. */
export type LivingRecords = ReadonlyMap<string, Buffer>;

/** A log as the slot sees it. `Content` is what the service learns when the log was entered. */
export interface HeldLog<Content extends object> {
  /** Resolves when the service may use the log; to a reason if this process must give the slot up. */
  enter(): Promise<Content | LogEnd>;
  /** Resolves when the log must be entered again, or has ended. */
  stale(): Promise<void>;
  /** The log must be entered again. */
  invalidate(): void;
}

/** The log of readers' groups. */
export type HeldSlotLog = HeldLog<LivingRecords> & SlotLog;

export interface SlotRecord {
  readonly name: string;
  readonly value: Buffer | null;
}

/** What a slot is for. The calls for one slot never overlap, except `names` and `serve`. */
export interface SlotService<Log = SlotLog, Content = LivingRecords> {
  /** The names (such as readers' groups) that live in a slot which this process holds. */
  names(slot: number): readonly string[];
  /** This process is the next holder: prepares the names that it has not prepared yet. */
  prepare(slot: number, names: readonly string[]): Promise<void>;
  /** The slot doesn't come to this process: ends the preparation. */
  abandon(slot: number): Promise<void>;
  /**
   * This process holds the slot; `content` is what `enter` of the log has resolved to, such as its living records. Called again
   * without `close` if the log was fenced again: then `content` replaces what the service knows of the log. Puts that began
   * before are newer than `content` if they resolve after the call has begun.
   */
  open(slot: number, log: Log, content: Content): Promise<void>;
  /** Called only between `open` and `close`. Rejects with SLOT_MOVED if `close` ends the call. */
  serve(slot: number, call: PeerCall): Promise<PeerAnswer>;
  /**
   * Ends the calls. `handed-over`: also commits, appends the positions, waits for the outcome of every append, and leaves
   * what the next holder has joined. `lost`: the log accepts nothing any more.
   */
  close(slot: number, reason: "handed-over" | "lost"): Promise<void>;
}

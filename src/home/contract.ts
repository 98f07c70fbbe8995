/** What the home of a slot gives to the service that the slot is for. It knows nothing of the meaning of records. */

/** The records of a slot that this process holds. */
export interface SlotLog {
  /**
   * Stores records; a null value deletes the name. Resolves when all of them are acknowledged, read back, and count.
   * Rejects with SLOT_MOVED if this process doesn't hold the slot any more (they may count), with RECORD_TOO_LARGE, or with
   * BROKER_UNAVAILABLE if they don't count. The records of one call are not atomic: if it rejects, some of them may count.
   */
  put(records: readonly SlotRecord[]): Promise<void>;
}

export interface SlotRecord {
  readonly name: string;
  readonly value: Buffer | null;
}

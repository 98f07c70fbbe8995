/** Kafka as arrays: partitions whose leader has records that the followers have not copied yet, and may lose them. */
export type Random = (below: number) => number;

/** A reproducible source of whole numbers from 0 up to, but not including, `below`. */
export const randomFrom = (seed: number): Random => {
  let state = Math.imul(seed | 0, 2_654_435_761) | 1;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return Math.floor(((state >>> 0) / 2 ** 32) * below);
  };
};

interface Pending {
  readonly end: number;
  readonly acknowledged: (isStored: boolean) => void;
}

/** One partition. Offsets are indexes. */
export class LogModel<T> {
  readonly records: T[] = [];
  /** Records before this offset are on all replicas. */
  committed = 0;
  epoch = 0;
  hasLeader = true;
  #pending: Pending[] = [];

  /** Appends to the leader's log. `acknowledged` is called when all replicas have the records, or the leader has changed. */
  append(records: readonly T[], acknowledged: (isStored: boolean) => void): number {
    const base = this.records.length;
    this.records.push(...records);
    this.#pending.push({ end: this.records.length, acknowledged });
    return base;
  }

  /** The followers copy what the leader has. */
  replicate(): void {
    if (!this.hasLeader) return;
    this.committed = this.records.length;
    this.#settle();
  }

  /** A follower that has the log up to `end` becomes the leader; there can be no leader for a while. */
  elect(random: Random): void {
    const end = this.committed + random(this.records.length - this.committed + 1);
    this.records.length = end;
    this.committed = end;
    this.epoch += 1;
    this.#settle();
  }

  #settle(): void {
    const over = this.#pending;
    this.#pending = over.filter(({ end }) => end > this.committed && end <= this.records.length);
    for (const { end, acknowledged } of over) {
      if (end <= this.committed) acknowledged(true);
      else if (end > this.records.length) acknowledged(false);
    }
  }
}

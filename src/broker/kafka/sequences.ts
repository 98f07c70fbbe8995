/** Sequence numbers of an idempotent producer (KIP-98): a batch that is sent again is known by them, and stored once. */
import type { PartitionBatch } from "./producer.ts";
import type { ProducerIdentity } from "./record-batch.ts";

type ProducerId = Pick<ProducerIdentity, "producerId" | "epoch">;

export interface Sequences {
  /** The identity of a batch: the same one each time it is asked for. Rejects when none can be had. */
  readonly of: (topic: string, batch: PartitionBatch) => Promise<ProducerIdentity>;
  /** An attempt ended without a known outcome: the broker may have used up its numbers. */
  readonly doubted: (batch: PartitionBatch) => void;
  /**
   * The broker has refused it. If no attempt of it was doubted, it isn't stored, and its numbers go to the next batch of
   * the partition. Otherwise the next batch gets another producer id: under numbers that are used up the broker would
   * acknowledge it without storing it.
   */
  readonly refused: (batch: PartitionBatch) => void;
  /** The broker doesn't know its identity: the next time it is asked for it gets another one. */
  readonly unrecognised: (batch: PartitionBatch) => void;
  /** It is not sent again, and whether its numbers are used up isn't known. */
  readonly abandoned: (batch: PartitionBatch) => void;
}

/** Sequences are 31 bits and wrap around. */
const WRAP = 2 ** 31;

/** One producer id, and the next number of each partition. */
interface Era {
  readonly producer: Promise<ProducerId>;
  readonly next: Map<string, number>;
}

interface Numbered {
  readonly partition: string;
  readonly era: Era;
  readonly identity: ProducerIdentity;
  isDoubted: boolean;
  /** The number behind its last record. */
  readonly end: number;
}

export const createSequences = (newProducerId: () => Promise<ProducerId>): Sequences => {
  const numbered = new WeakMap<PartitionBatch, Numbered>();
  let era: Era | undefined;

  const end = (ended: Era): void => {
    if (era === ended) era = undefined;
  };

  const current = (): Era => {
    if (era !== undefined) return era;
    const begun: Era = { producer: newProducerId(), next: new Map() };
    begun.producer.catch(() => {
      end(begun);
    });
    era = begun;
    return begun;
  };

  return {
    of: async (topic, batch) => {
      const known = numbered.get(batch);
      if (known !== undefined) return known.identity;
      const its = current();
      const id = await its.producer;
      const partition = `${topic}/${batch.partition}`;
      const baseSequence = its.next.get(partition) ?? 0;
      const identity = { ...id, baseSequence };
      const after = (baseSequence + batch.records.length) % WRAP;
      its.next.set(partition, after);
      numbered.set(batch, { partition, era: its, identity, isDoubted: false, end: after });
      return identity;
    },
    doubted: (batch) => {
      const entry = numbered.get(batch);
      if (entry !== undefined) entry.isDoubted = true;
    },
    refused: (batch) => {
      const entry = numbered.get(batch);
      if (entry === undefined) return;
      const { era: its, partition, identity, isDoubted } = entry;
      // Where the numbers behind it are given out already, the gap can't be closed any more.
      if (!isDoubted && its.next.get(partition) === entry.end) its.next.set(partition, identity.baseSequence);
      else end(its);
    },
    unrecognised: (batch) => {
      const entry = numbered.get(batch);
      if (entry === undefined) return;
      numbered.delete(batch);
      end(entry.era);
    },
    abandoned: (batch) => {
      const entry = numbered.get(batch);
      if (entry !== undefined) end(entry.era);
    },
  };
};

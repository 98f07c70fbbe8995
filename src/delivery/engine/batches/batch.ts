/** A batch: records of one partition that are sent in one request. `docs/decisions/0012-delivery-batches.md` has the rules. */
import type { ConsumedRecord } from "../../../broker/broker.ts";
import type { Attempted, Item } from "../claims.ts";
import type { Batching, PreparedRecord } from "../delivery-plan.ts";

export interface Member {
  readonly item: Item;
  readonly record: PreparedRecord;
}

export interface Batch extends Attempted {
  /** Number of the batch, in the order in which the batches of a courier began. */
  readonly number: number;
  /** Names the batch among the open batches of its partition. */
  readonly id: string;
  /** In the order of their offsets. Their records have no final outcome yet. */
  members: Member[];
  /** Size of the body. */
  bytes: number;
  /** Further records can join. */
  isOpen: boolean;
}

/** What is sent in one request. */
export type Unit = Item | Batch;

export const isBatch = (unit: Unit): unit is Batch => "members" in unit;

export const firstRecord = (unit: Unit): ConsumedRecord => {
  if (!isBatch(unit)) return unit.record;
  const [first] = unit.members;
  if (first === undefined) throw new RangeError("A batch has at least one record");
  return first.item.record;
};

/** `orders-0@5`, or `orders-0@5 to 9` for a batch of several records. */
export const positionOf = (unit: Unit): string => {
  const { topic, partition, offset } = firstRecord(unit);
  const last = isBatch(unit) ? (unit.members.at(-1)?.item.record.offset ?? offset) : offset;
  return `${topic}-${partition}@${offset}${last === offset ? "" : ` to ${last}`}`;
};

/** A record that has had attempts brings them into the batch that it opens. */
export const beginBatch = (number: number, id: string, { frameBytes }: Batching, first: Item): Batch => {
  const { claim, notBefore, attempts, retry, lastStatus, lastError } = first;
  const members: Member[] = [];
  return {
    claim,
    number,
    id,
    members,
    bytes: frameBytes,
    isOpen: true,
    notBefore,
    attempts,
    retry,
    lastStatus,
    lastError,
  };
};

export const addMember = (batch: Batch, member: Member, bytes: number): void => {
  batch.members.push(member);
  batch.bytes += bytes;
  batch.notBefore = Math.max(batch.notBefore, member.item.notBefore);
};

/** Copies the attempts of the batch to a record that leaves it. */
export const takeAttempts = (item: Item, batch: Batch): void => {
  const { notBefore, attempts, retry, lastStatus, lastError } = batch;
  Object.assign(item, { notBefore, attempts, retry, lastStatus, lastError });
};

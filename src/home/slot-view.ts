/**
 * What the records of a slot's partition mean to a process that reads them in order.
 *
 * Each writer begins with a fence. A record counts if the last fence before it is its writer's, so that nothing counts that
 * an earlier holder of the slot writes later. The writer's id is part of the key: compaction never replaces a record of
 * one writer by a record of another one. For the same reason a tombstone of another writer's key means nothing here.
 */
import type { ConsumedRecord, RecordHeader } from "../broker/broker.ts";

interface SlotKey {
  /** undefined: a fence. */
  readonly name: string | undefined;
  readonly writer: string;
}

const FENCE = "fence/";
const RECORD = "record/";
/** Number of the record among those of its writer. A second copy of a record that a retry has stored does not count. */
const SEQUENCE = "sequence";

export const fenceKey = (writer: string): string => FENCE + writer;
export const recordKey = (writer: string, name: string): string => `${RECORD}${writer}/${name}`;
/** Tells the records of all writers apart. */
export const recordId = (writer: string, sequence: number): string => `${writer}/${sequence}`;
export const sequenceHeader = (sequence: number): RecordHeader => ({
  name: SEQUENCE,
  value: Buffer.from(String(sequence)),
});

const parseKey = (key: string): SlotKey | undefined => {
  if (key.startsWith(FENCE)) return { name: undefined, writer: key.slice(FENCE.length) };
  const slash = key.indexOf("/", RECORD.length);
  if (!key.startsWith(RECORD) || slash === -1) return undefined;
  return { writer: key.slice(RECORD.length, slash), name: key.slice(slash + 1) };
};

const sequenceOf = ({ headers }: ConsumedRecord): number =>
  Number(headers.find(({ name }) => name === SEQUENCE)?.value ?? Number.NaN);

/** A key of the partition that has a value. */
interface PresentKey {
  readonly key: string;
  readonly offset: bigint;
  readonly writer: string;
  readonly isFence: boolean;
}

export interface SlotView {
  /** The writer of the last fence. */
  readonly fence: string | undefined;
  /** The values of the living names. */
  readonly living: ReadonlyMap<string, Buffer>;
  /**
   * Keys of records and fences before this fence, in the order in which the fence's writer must delete them: a fence after
   * every record that counts, or doesn't count, because of it; a fence by which a record has counted last. The writer must
   * not delete what lies behind its fence: it may be of a later holder.
   */
  keysBefore(fence: bigint): readonly string[][];
  /** Takes the next record of the partition. Returns `recordId` of the record if it counts. */
  apply(record: ConsumedRecord): string | undefined;
  /** True once if a record of the current writer was a late or second copy. Compaction may prefer it to a newer record. */
  takeCopySeen(): boolean;
}

export const createSlotView = (): SlotView => {
  const living = new Map<string, Buffer>();
  const present = new Map<string, PresentKey>();
  const countedBy = new Set<string>();
  let fence: string | undefined;
  let last = 0;
  let copySeen = false;

  const applyRecord = (name: string, writer: string, record: ConsumedRecord) => {
    const sequence = sequenceOf(record);
    if (writer !== fence) return undefined;
    // A negation, because a record without a number must not count.
    if (!(sequence > last)) {
      copySeen = true;
      return undefined;
    }
    last = sequence;
    countedBy.add(writer);
    if (record.value === null) living.delete(name);
    else living.set(name, record.value);
    return recordId(writer, sequence);
  };

  return {
    get fence() {
      return fence;
    },
    living,
    keysBefore: (offset) => {
      const old = [...present.values()].filter((one) => one.offset < offset);
      const keys = (wanted: (key: PresentKey) => boolean): string[] =>
        old.filter(wanted).map(({ key }) => key);
      return [
        keys(({ isFence }) => !isFence),
        keys(({ isFence, writer }) => isFence && !countedBy.has(writer)),
        keys(({ isFence, writer }) => isFence && countedBy.has(writer)),
      ].filter((step) => step.length > 0);
    },
    apply: (record) => {
      const key = record.key?.toString() ?? "";
      const parsed = parseKey(key);
      if (parsed === undefined) return undefined;
      const { name, writer } = parsed;
      if (record.value === null) present.delete(key);
      else present.set(key, { key, offset: record.offset, writer, isFence: name === undefined });
      if (name !== undefined) return applyRecord(name, writer, record);
      if (record.value === null) countedBy.delete(writer);
      else if (writer !== fence) {
        fence = writer;
        last = 0;
      }
      return undefined;
    },
    takeCopySeen: () => {
      const seen = copySeen;
      copySeen = false;
      return seen;
    },
  };
};

/** One read of an instance: waits for records, takes them, and makes the answer. */
import type { ConsumedRecord } from "../../broker/broker.ts";
import { GatewayError } from "../../errors.ts";
import { atMost, type Clock } from "../../lib/clock.ts";
import type { Decoder } from "../../registry/decoder.ts";
import { type Cursor, sizeOf } from "./cursor.ts";
import { needsRegistry, type RecordFormat, recordJson } from "./record-format.ts";

export interface ReadOptions {
  readonly clock: Clock;
  /** Milliseconds since the epoch. */
  readonly deadline: number;
  /** -1: the read always waits until the deadline. */
  readonly minBytes: number;
  readonly maxBytes: number;
  /** The partitions of the instance now; undefined: the group has assigned nothing at present. */
  readonly cursors: () => readonly Cursor[] | undefined;
  /** Resolves when a read has ended or the cursors have changed. */
  readonly changed: () => Promise<void>;
  /** Aborted when the client has disconnected, or when the call must end. */
  readonly signal: AbortSignal;
}

/** Milliseconds that one read of a partition waits for records. */
const FETCH_MS = 500;
/** Most and least bytes of one read of a partition; a single larger record is read alone. */
const FETCH_BYTES = 1024 * 1024;
const LEAST_FETCH_BYTES = 64 * 1024;
/** Milliseconds after the deadline in which each leader must answer before the call fails. */
const GRACE_MS = 5000;
/** Milliseconds without an answer of a leader after which a call fails, however long it may wait for records. */
const AWAY_MS = 7000;

/**
 * Resolves when the partitions have enough bytes, or at the deadline. If they have nothing then, each leader must have answered
 * within the last second. Rejects with BROKER_UNAVAILABLE if the leaders don't answer. Also resolves when the signal is aborted.
 */
export const untilReadable = async (options: ReadOptions): Promise<void> => {
  const { clock, deadline, signal } = options;
  const began = clock.now();
  let heardAt = began;
  while (!signal.aborted) {
    const left = deadline - clock.now();
    const cursors = options.cursors();
    if (cursors !== undefined && isEnough(options, cursors, left)) return;
    if (cursors !== undefined)
      heardAt = Math.max(began, Math.min(clock.now(), ...cursors.map((cursor) => cursor.heardAt)));
    if (left <= -GRACE_MS || clock.now() - heardAt >= AWAY_MS) throw unavailable(cursors);
    if (cursors !== undefined) fetchAll(options, cursors, left);
    await atMost(clock, Math.min(left > 0 ? left : left + GRACE_MS, AWAY_MS), options.changed(), signal);
  }
};

const unavailable = (cursors: readonly Cursor[] | undefined): GatewayError =>
  cursors?.some(({ isStarved }) => isStarved) === true
    ? new GatewayError("OVERLOADED", { message: "reading.maxBuffered is used up" })
    : new GatewayError("BROKER_UNAVAILABLE", { cause: "a leader has not answered" });

const isEnough = ({ minBytes, maxBytes }: ReadOptions, cursors: readonly Cursor[], left: number): boolean => {
  const bytes = cursors.reduce((sum, cursor) => sum + cursor.bytes, 0);
  const hasRecords = cursors.some(({ hasRecord }) => hasRecord);
  const isCurrent = cursors.every((cursor) => cursor.isCurrent);
  if (left <= 0) return hasRecords || isCurrent;
  if (minBytes < 0) return false;
  // A record without key and value has no bytes.
  return hasRecords && (minBytes <= 1 || bytes >= Math.min(minBytes, maxBytes));
};

/** Also reads ahead, up to what one answer may have. */
export const fetchAll = (
  { maxBytes }: Pick<ReadOptions, "maxBytes">,
  cursors: readonly Cursor[],
  left: number,
): void => {
  let room = maxBytes;
  for (const cursor of cursors) room -= cursor.bytes;
  if (room <= 0) return;
  const waitMs = Math.max(0, Math.min(left, FETCH_MS));
  const each = Math.max(LEAST_FETCH_BYTES, Math.min(FETCH_BYTES, Math.floor(room / cursors.length)));
  for (const cursor of cursors)
    if (cursor.bytes < FETCH_BYTES) cursor.fetch(each, cursor.isCurrent ? waitMs : 0);
};

export interface Taken {
  readonly records: readonly { readonly record: ConsumedRecord; readonly name: string }[];
  /** Call it when the answer has ended. */
  readonly ended: (sentWhole: boolean) => void;
}

/** Takes records from the cursors in turn, the first one of them first. */
export const takeRecords = (cursors: readonly Cursor[], maxBytes: number): Taken => {
  const all: { record: ConsumedRecord; name: string }[] = [];
  const ends: ((sentWhole: boolean) => void)[] = [];
  let left = maxBytes;
  for (const cursor of cursors) {
    const from = cursor.position;
    const records = [];
    const { name } = cursor.of;
    for (
      let next = cursor.take(left, all.length === 0);
      next !== undefined;
      next = cursor.take(left, false)
    ) {
      left -= sizeOf(next);
      all.push({ record: next, name });
      records.push(next);
    }
    if (from !== undefined && records.length > 0) ends.push(cursor.handOut(from, records));
  }
  return {
    records: all,
    ended: (sentWhole) => {
      for (const end of ends) end(sentWhole);
    },
  };
};

const [OPEN, COMMA, CLOSE] = [Buffer.from("["), Buffer.from(","), Buffer.from("]")];
const PARTS = ["key", "value"] as const;

/** The body of the answer. Rejects with REGISTRY_UNAVAILABLE. */
export const recordsJson = async (
  { records }: Taken,
  format: RecordFormat,
  decoder: Decoder | undefined,
): Promise<Buffer> => {
  if (needsRegistry(format))
    await decoder?.prepare(
      records.map(({ record }) => record),
      PARTS,
    );
  const parts: Buffer[] = [OPEN];
  for (const { record, name } of records) {
    if (parts.length > 1) parts.push(COMMA);
    parts.push(recordJson(record, name, format, decoder));
  }
  parts.push(CLOSE);
  return Buffer.concat(parts);
};

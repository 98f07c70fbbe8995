/** Marked records: the events of ids, as they are in the stations' topics, and the search for them. */
import type { BrokerRecord, ConsumedRecord, RecordHeader } from "../broker/broker.ts";
import { type OnceBroker, READ } from "./once-log.ts";
import { nameOf } from "./slot-core/calls.ts";
import type { CoreEvent, Look } from "./slot-core/port.ts";

/** The header of a marked record: its value is the digest in hexadecimal digits. */
export const MARK = "x-stationgate-once";

const DIGITS = Buffer.from("0123456789abcdef");

/** The bytes of the hexadecimal digits: without a text in between it takes a third of the time. */
const hexOf = (bytes: Buffer): Buffer => {
  const digits = Buffer.allocUnsafe(2 * bytes.length);
  let at = 0;
  for (const byte of bytes) {
    digits[at++] = DIGITS[byte >> 4] ?? 0;
    digits[at++] = DIGITS[byte & 15] ?? 0;
  }
  return digits;
};

/** Lists the members, without the partition, which the append names. */
export const marked = ({ id, record: { key, value, headers, timestamp } }: CoreEvent): BrokerRecord => ({
  key,
  value,
  headers: [...headers, { name: MARK, value: hexOf(id.digest) }],
  timestamp,
});

/**
 * Reads the partition from `from` to the end of the leader's log. If the leader changes meanwhile, reads on to the new
 * leader's end. Returns the offsets of the records of each name; undefined: the end was not reached within `timeoutMs`, or the
 * partition has no leader.
 */
export const findMarked = async (
  broker: OnceBroker,
  { topic, partition, from, names }: Look,
  options: { readonly signal: AbortSignal; readonly isOver: () => boolean },
): Promise<ReadonlyMap<string, readonly number[]> | undefined> => {
  const found = new Map<string, number[]>();
  // The topic was deleted, and perhaps created again: the records are gone with it.
  if ((await broker.topicId(topic.name)) !== topic.id) return found;
  const leaderOf = async (): Promise<number | undefined> =>
    (await broker.partitions(topic.name))?.find((one) => one.partition === partition)?.leader;
  const low = (await broker.watermarks(topic.name)).find((one) => one.partition === partition)?.low ?? 0n;
  let offset = low > BigInt(from) ? low : BigInt(from);
  for (let leader = await leaderOf(); leader !== undefined;) {
    const end = await broker.leaderEnd(topic.name, partition);
    while (offset < end) {
      if (options.isOver()) return undefined;
      const read = await broker.read(
        { topic: topic.name, partition, offset },
        { ...READ, signal: options.signal, isolation: "uncommitted" },
      );
      for (const record of read.records) note(found, names, record);
      offset = read.next;
    }
    const now = await leaderOf();
    if (now === leader) return found;
    leader = now;
  }
  return undefined;
};

const note = (
  found: Map<string, number[]>,
  names: ReadonlySet<string>,
  { headers, offset }: ConsumedRecord,
): void => {
  const name = markOf(headers);
  if (name === undefined || !names.has(name)) return;
  const offsets = found.get(name);
  if (offsets === undefined) found.set(name, [Number(offset)]);
  else offsets.push(Number(offset));
};

/** The name of a marked record's digest. */
const markOf = (headers: readonly RecordHeader[]): string | undefined => {
  const value = headers.find(({ name }) => name === MARK)?.value;
  return value == null ? undefined : nameOf(Buffer.from(value.toString("latin1"), "hex"));
};

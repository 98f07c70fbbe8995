/** Kafka's Fetch request, version 11 (Kafka 2.3 and later), outside a fetch session. */
import { createAPI, type Reader, Writer } from "./client-library.ts";
import type { TopicPartitionOffset } from "../positions.ts";

const FETCH = 1;
const VERSION = 11;
const NO_REPLICA = -1;
const ISOLATION = { uncommitted: 0, committed: 1 };
const NO_SESSION = 0;
const NO_EPOCH = -1;
const UNKNOWN_START = -1n;

export interface FetchRequest {
  /** At most one position for each partition. Kafka answers them in this order until `maxBytes`. */
  readonly positions: readonly (TopicPartitionOffset & { readonly maxBytes: number })[];
  /** Milliseconds that the broker waits for a record. */
  readonly maxWaitMs: number;
  /** Maximum of the answer. Kafka sends at least one batch of the first partition that has records. */
  readonly maxBytes: number;
  readonly isolation: "committed" | "uncommitted";
}

export interface FetchedRecords {
  readonly topic: string;
  readonly partition: number;
  readonly errorCode: number;
  /** The end for readers of uncommitted records. */
  readonly highWatermark: bigint;
  /** The end for readers of committed records. */
  readonly lastStableOffset: bigint;
  readonly logStartOffset: bigint;
  readonly aborted: readonly { readonly producerId: string; readonly firstOffset: string }[];
  /** Encoded record batches. */
  readonly records: Buffer;
}

const encode = ({ positions, maxWaitMs, maxBytes, isolation }: FetchRequest): Writer => {
  const writer = Writer.create()
    .appendInt32(NO_REPLICA)
    .appendInt32(maxWaitMs)
    .appendInt32(1)
    .appendInt32(maxBytes)
    .appendInt8(ISOLATION[isolation])
    .appendInt32(NO_SESSION)
    .appendInt32(NO_EPOCH)
    .appendInt32(positions.length);
  // A topic for each partition keeps the partitions in order.
  for (const position of positions)
    writer
      .appendString(position.topic, false)
      .appendInt32(1)
      .appendInt32(position.partition)
      .appendInt32(NO_EPOCH)
      .appendInt64(position.offset)
      .appendInt64(UNKNOWN_START)
      .appendInt32(position.maxBytes);
  return writer.appendInt32(0).appendString("", false);
};

const readMany = <T>(reader: Reader, readOne: () => T): T[] =>
  Array.from({ length: Math.max(0, reader.readInt32()) }, readOne);

const decode = (_correlation: number, _key: number, _version: number, reader: Reader): FetchedRecords[] => {
  reader.readInt32(); // the throttle time
  reader.readInt16(); // an error of fetch sessions
  reader.readInt32(); // the session's id
  return readMany(reader, () => {
    const topic = reader.readString(false);
    return readMany(reader, (): FetchedRecords => {
      const partition = reader.readInt32();
      const errorCode = reader.readInt16();
      const highWatermark = reader.readInt64();
      const lastStableOffset = reader.readInt64();
      const logStartOffset = reader.readInt64();
      const aborted = readMany(reader, () => ({
        producerId: reader.readInt64().toString(),
        firstOffset: reader.readInt64().toString(),
      }));
      reader.readInt32(); // the preferred replica
      const records = Buffer.from(reader.readBytes(false));
      const ends = { highWatermark, lastStableOffset, logStartOffset };
      return { topic, partition, errorCode, ...ends, aborted, records };
    });
  }).flat();
};

/** The partitions' errors are in the answer. */
export const fetchRecords = createAPI<[FetchRequest], FetchedRecords[]>(
  FETCH,
  VERSION,
  encode,
  decode,
  false,
  false,
);

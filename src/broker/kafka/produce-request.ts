/** Kafka's Produce API, version 8 (Kafka 2.4 and later): one topic, one record batch for each of its partitions. */
import { createAPI, type Reader, Writer } from "@platformatic/kafka";

const PRODUCE = 0;
const VERSION = 8;
const ALL_REPLICAS = -1;

export interface EncodedBatch {
  readonly partition: number;
  /** A whole record batch. */
  readonly bytes: Buffer;
}

export interface ProduceRequest {
  readonly topic: string;
  readonly batches: readonly EncodedBatch[];
  /** Milliseconds that the leader waits for the other replicas. */
  readonly timeout: number;
}

export interface PartitionAnswer {
  readonly partition: number;
  /** 0: stored. */
  readonly errorCode: number;
  readonly baseOffset: bigint;
  /** Milliseconds since the epoch; -1 where the records' own timestamps count. */
  readonly logAppendTime: bigint;
}

const encode = ({ topic, batches, timeout }: ProduceRequest): Writer => {
  const writer = Writer.create()
    .appendString(null, false)
    .appendInt16(ALL_REPLICAS)
    .appendInt32(timeout)
    .appendInt32(1)
    .appendString(topic, false)
    .appendInt32(batches.length);
  for (const { partition, bytes } of batches)
    writer.appendInt32(partition).appendInt32(bytes.length).append(bytes);
  return writer;
};

const readMany = <T>(reader: Reader, readOne: () => T): T[] => {
  const count = reader.readInt32();
  return Array.from({ length: Math.max(0, count) }, readOne);
};

const decode = (_correlation: number, _key: number, _version: number, reader: Reader): PartitionAnswer[] => {
  const partition = (): PartitionAnswer => {
    const answer = {
      partition: reader.readInt32(),
      errorCode: reader.readInt16(),
      baseOffset: reader.readInt64(),
      logAppendTime: reader.readInt64(),
    };
    reader.readInt64(); // the log's start offset
    readMany(reader, () => {
      reader.readInt32();
      return reader.readNullableString(false);
    });
    reader.readNullableString(false); // the error's message
    return answer;
  };
  const topics = readMany(reader, () => {
    reader.readString(false);
    return readMany(reader, partition);
  });
  return topics.flat();
};

export const produce = createAPI<[ProduceRequest], PartitionAnswer[]>(
  PRODUCE,
  VERSION,
  encode,
  decode,
  false,
  false,
);

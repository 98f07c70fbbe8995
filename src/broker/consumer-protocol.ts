/**
 * The bytes that consumers exchange through a group's coordinator: Kafka's ConsumerProtocolSubscription and
 * ConsumerProtocolAssignment. Written in version 0, which every client and Kafka's tools can read. Later versions only
 * add fields behind those of version 0, so all versions can be read here.
 */
import type { TopicPartition } from "./positions.ts";

/** What a member tells the group's leader. */
export interface GroupSubscription {
  readonly topics: readonly string[];
  readonly userData: Buffer;
}

/** What the group's leader tells a member. */
export interface GroupAssignment {
  readonly partitions: readonly TopicPartition[];
  readonly userData: Buffer;
}

const VERSION = 0;
const SHORT = 2;
const INT = 4;

const short = (value: number): Buffer => {
  const bytes = Buffer.alloc(SHORT);
  bytes.writeInt16BE(value);
  return bytes;
};

const int = (value: number): Buffer => {
  const bytes = Buffer.alloc(INT);
  bytes.writeInt32BE(value);
  return bytes;
};

const text = (value: string): readonly Buffer[] => {
  const bytes = Buffer.from(value);
  return [short(bytes.length), bytes];
};

export const encodeSubscription = ({ topics, userData }: GroupSubscription): Buffer =>
  Buffer.concat([
    short(VERSION),
    int(topics.length),
    ...topics.flatMap(text),
    int(userData.length),
    userData,
  ]);

export const encodeAssignment = ({ partitions, userData }: GroupAssignment): Buffer => {
  const byTopic = new Map<string, number[]>();
  for (const { topic, partition } of partitions) {
    const held = byTopic.get(topic);
    if (held === undefined) byTopic.set(topic, [partition]);
    else held.push(partition);
  }
  const topics = [...byTopic].flatMap(([topic, held]) => [
    ...text(topic),
    int(held.length),
    ...held.map(int),
  ]);
  return Buffer.concat([short(VERSION), int(byTopic.size), ...topics, int(userData.length), userData]);
};

/** Reads fields in order. Throws RangeError if a field ends after the last byte. */
const createCursor = (bytes: Buffer) => {
  let at = 0;
  const take = (length: number): Buffer => {
    if (length < 0 || at + length > bytes.length) throw new RangeError("the bytes end early");
    at += length;
    return bytes.subarray(at - length, at);
  };
  const takeInt = (): number => take(INT).readInt32BE();
  const takeText = (): string => take(take(SHORT).readInt16BE()).toString();
  return {
    skipVersion: () => void take(SHORT),
    int: takeInt,
    text: takeText,
    /**
     * A null list counts as empty. Each element takes at least one byte, so the loop ends with a RangeError at the end of the
     * bytes if the length is wrong and very large.
     */
    list: <T>(element: () => T): readonly T[] => {
      const elements: T[] = [];
      for (let left = takeInt(); left > 0; left -= 1) elements.push(element());
      return elements;
    },
    /** A copy; empty for null. */
    bytes: (): Buffer => {
      const length = takeInt();
      return Buffer.from(take(Math.max(0, length)));
    },
  };
};

type Cursor = ReturnType<typeof createCursor>;

/** Members of a group may be any client, so their bytes may have any content. */
const decoded = <T>(bytes: Buffer, read: (cursor: Cursor) => T): T | undefined => {
  try {
    const cursor = createCursor(bytes);
    cursor.skipVersion();
    return read(cursor);
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
};

/** undefined: the bytes are not a subscription. */
export const decodeSubscription = (bytes: Buffer): GroupSubscription | undefined =>
  decoded(bytes, (cursor) => ({ topics: cursor.list(cursor.text), userData: cursor.bytes() }));

/** undefined: the bytes are not an assignment. No bytes: an assignment without partitions. */
export const decodeAssignment = (bytes: Buffer): GroupAssignment | undefined => {
  if (bytes.length === 0) return { partitions: [], userData: bytes };
  return decoded(bytes, (cursor) => {
    const partitions = cursor.list(() => {
      const topic = cursor.text();
      return cursor.list(cursor.int).map((partition) => ({ topic, partition }));
    });
    return { partitions: partitions.flat(), userData: cursor.bytes() };
  });
};

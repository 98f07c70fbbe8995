/** Delivers the records of one subscriber's partitions, with pause, resume and seek. */
import { partitionId } from "../partitions.ts";
import type {
  ConsumedRecord,
  SubscriptionHandlers,
  TopicPartition,
  TopicPartitionOffset,
} from "../broker.ts";
import { GatewayError } from "../../errors.ts";
import { withOwnBytes } from "../record-bytes.ts";
import type { LocalStore } from "./store.ts";

/** Maximum of one delivery. Memory may hold one delivery for each partition. */
const DELIVERY = { records: 500, bytes: 1024 * 1024 };
const RETRY_AFTER_FAULT_MS = 1000;

interface Cursor extends TopicPartition {
  next: bigint;
  paused: boolean;
  /** A read is scheduled, at most one per partition. */
  scheduled: boolean;
}

export interface PartitionReader {
  readonly assignment: readonly TopicPartition[];
  readonly owns: (partition: TopicPartition) => boolean;
  /** Replaces the assignment with these partitions and start positions. */
  readonly assign: (positions: readonly TopicPartitionOffset[]) => void;
  /** Stops deliveries. The partitions stay assigned until `release`. */
  readonly halt: () => void;
  readonly release: () => void;
  readonly pause: (partitions: readonly TopicPartition[]) => void;
  readonly resume: (partitions: readonly TopicPartition[]) => void;
  readonly seek: (position: TopicPartitionOffset) => void;
  /** The partition has new records. Does nothing if the partition isn't assigned. */
  readonly wake: (partition: TopicPartition) => void;
}

const pastTheLast = (records: readonly ConsumedRecord[]): bigint => (records.at(-1)?.offset ?? -1n) + 1n;

interface PumpParts {
  readonly store: Pick<LocalStore, "read" | "ends">;
  readonly handlers: Pick<SubscriptionHandlers, "onRecords" | "onError">;
  readonly maxBytes: number;
  /** True if the cursor may deliver records. */
  readonly isLive: (cursor: Cursor) => boolean;
}

/** Returns a function that delivers the records of a cursor, with one read per turn of the event loop. */
const createPump = ({ store, handlers, maxBytes, isLive }: PumpParts): ((cursor: Cursor) => void) => {
  const read = ({ topic, partition, next }: Cursor): readonly ConsumedRecord[] | undefined => {
    try {
      return store
        .read({ topic, partition, offset: next }, { ...DELIVERY, bytes: maxBytes })
        .map(withOwnBytes);
    } catch (error) {
      handlers.onError?.(new GatewayError("BROKER_UNAVAILABLE", { cause: error }));
      return undefined;
    }
  };

  const deliver = (cursor: Cursor): void => {
    cursor.scheduled = false;
    if (!isLive(cursor)) return;
    const records = read(cursor);
    if (records === undefined) {
      cursor.scheduled = true;
      setTimeout(deliver, RETRY_AFTER_FAULT_MS, cursor).unref();
    } else if (records.length > 0) {
      cursor.next = pastTheLast(records);
      handlers.onRecords(records);
      pump(cursor);
    }
  };

  const pump = (cursor: Cursor): void => {
    if (cursor.scheduled || !isLive(cursor) || cursor.next >= store.ends(cursor).high) return;
    cursor.scheduled = true;
    setImmediate(deliver, cursor);
  };

  return pump;
};

/** Creates a reader without partitions. */
export const createPartitionReader = (
  store: Pick<LocalStore, "read" | "ends">,
  handlers: Pick<SubscriptionHandlers, "onRecords" | "onError">,
  maxReadBytes = DELIVERY.bytes,
): PartitionReader => {
  let cursors = new Map<string, Cursor>();
  let halted = false;

  const pump = createPump({
    store,
    handlers,
    maxBytes: Math.min(DELIVERY.bytes, maxReadBytes),
    isLive: (cursor) => !halted && !cursor.paused && cursors.get(partitionId(cursor)) === cursor,
  });

  const owned = (partitions: readonly TopicPartition[]): readonly Cursor[] =>
    partitions.flatMap((partition) => cursors.get(partitionId(partition)) ?? []);

  return {
    get assignment() {
      return [...cursors.values()].map(({ topic, partition }) => ({ topic, partition }));
    },
    owns: (partition) => cursors.has(partitionId(partition)),
    assign: (positions) => {
      halted = false;
      cursors = new Map(
        positions.map(({ topic, partition, offset }) => [
          partitionId({ topic, partition }),
          { topic, partition, next: offset, paused: false, scheduled: false },
        ]),
      );
      cursors.forEach(pump);
    },
    halt: () => {
      halted = true;
    },
    release: () => {
      cursors = new Map();
    },
    pause: (partitions) => {
      for (const cursor of owned(partitions)) cursor.paused = true;
    },
    resume: (partitions) => {
      for (const cursor of owned(partitions)) {
        cursor.paused = false;
        pump(cursor);
      }
    },
    seek: (position) => {
      for (const cursor of owned([position])) {
        cursor.next = position.offset;
        pump(cursor);
      }
    },
    wake: (partition) => {
      owned([partition]).forEach(pump);
    },
  };
};

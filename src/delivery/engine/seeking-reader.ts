/** Reads parts of partitions on demand, without a consumer group. */
import { partitionId } from "../../broker/partitions.ts";
import type {
  Broker,
  ConsumedRecord,
  Subscription,
  SubscriptionHandlers,
  TopicPartition,
  TopicPartitionOffset,
} from "../../broker/broker.ts";
import { asGatewayError, type GatewayError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";

export interface SeekingReader {
  /** Call it when `wanted` of the partition has changed. Opens the subscription if it isn't open. */
  steer(partition: TopicPartition): void;
  /** Closes the subscription. The next `steer` opens it again. */
  close(): Promise<void>;
}

export interface SeekingReaderOptions {
  readonly broker: Pick<Broker, "subscribe">;
  readonly topics: readonly string[];
  readonly clock: Clock;
  readonly onError: (error: GatewayError) => void;
}

export interface SeekingReaderHandlers {
  /** The offset to read the partition from. undefined: the partition is not read. */
  wanted(partition: TopicPartition): bigint | undefined;
  /** Records of one partition, from the wanted offset on. */
  onRecords(records: readonly ConsumedRecord[]): void;
  /** As in `SubscriptionHandlers`. */
  onPassed(position: TopicPartitionOffset): void;
  onRecreated?(topic: string): void;
}

const AGAIN_MS = 1000;

/** One subscription. Records that come before the first `seek` of their partition are ignored. */
interface Reading {
  subscription: Subscription | undefined;
  assigned: readonly TopicPartition[];
  readonly sought: Set<string>;
  ended: boolean;
  opened: Promise<void>;
}

const steer = (reading: Reading, handlers: SeekingReaderHandlers, partition: TopicPartition): void => {
  const { subscription, assigned, sought } = reading;
  const isAssigned = assigned.some((held) => partitionId(held) === partitionId(partition));
  if (subscription === undefined || !isAssigned) return;
  const { topic, partition: number } = partition;
  const offset = handlers.wanted(partition);
  if (offset === undefined) {
    sought.delete(partitionId(partition));
    subscription.pause([partition]);
    return;
  }
  subscription.seek({ topic, partition: number, offset });
  sought.add(partitionId(partition));
  subscription.resume([partition]);
};

const soughtOnly = (
  { sought }: Reading,
  handlers: SeekingReaderHandlers,
): Pick<SubscriptionHandlers, "onRecords" | "onPassed" | "onRecreated"> => ({
  onRecords: (records) => {
    const [first] = records;
    if (first !== undefined && sought.has(partitionId(first))) handlers.onRecords(records);
  },
  onPassed: (position) => {
    if (sought.has(partitionId(position))) handlers.onPassed(position);
  },
  onRecreated: (topic) => handlers.onRecreated?.(topic),
});

export const createSeekingReader = (
  { broker, topics, clock, onError }: SeekingReaderOptions,
  handlers: SeekingReaderHandlers,
): SeekingReader => {
  let current: Reading | undefined;

  const steerAll = (reading: Reading): void => {
    reading.sought.clear();
    for (const partition of reading.assigned) steer(reading, handlers, partition);
  };

  const open = async (reading: Reading): Promise<void> => {
    try {
      reading.subscription = await broker.subscribe(
        { topics, from: "earliest" },
        {
          ...soughtOnly(reading, handlers),
          onAssigned: (partitions) => {
            reading.assigned = partitions;
            steerAll(reading);
          },
          onError,
        },
      );
      steerAll(reading);
    } catch (error) {
      onError(asGatewayError(error));
      clock.after(AGAIN_MS, () => {
        if (!reading.ended) reading.opened = open(reading);
      });
    }
  };

  const start = (): Reading => {
    const reading: Reading = {
      subscription: undefined,
      assigned: [],
      sought: new Set(),
      ended: false,
      opened: Promise.resolve(),
    };
    reading.opened = open(reading);
    return reading;
  };

  return {
    steer: (partition) => {
      current ??= start();
      steer(current, handlers, partition);
    },
    close: async () => {
      const reading = current;
      current = undefined;
      if (reading === undefined) return;
      reading.ended = true;
      reading.sought.clear();
      await reading.opened;
      await reading.subscription?.close();
    },
  };
};

/** The produce side of a local broker: each record to its partition, and an outcome for each. */
import type { AppendOutcome, Broker, BrokerRecord, TopicPartition } from "../broker.ts";
import { asGatewayError, GatewayError } from "../../errors.ts";
import type { Partitioner } from "../partitioner.ts";
import type { LocalStore } from "./store.ts";

interface AppenderParts {
  readonly store: LocalStore;
  readonly partitioner: Partitioner;
  /** Called for each partition that has something new to read. */
  readonly onStored: (partition: TopicPartition) => void;
}

/** A record on its way, and where its outcome belongs in the caller's list. */
interface Placed {
  readonly record: BrokerRecord;
  readonly index: number;
}

const failed = (error: GatewayError): AppendOutcome => ({ status: "failed", error });

const sizeOf = ({ key, value, headers }: BrokerRecord): number =>
  headers.reduce(
    (sum, header) => sum + Buffer.byteLength(header.name) + (header.value?.length ?? 0),
    (key?.length ?? 0) + (value?.length ?? 0),
  );

/** `Broker.append` over a store: every partition's records become one append of the store. */
export const createAppender = ({ store, partitioner, onStored }: AppenderParts): Broker["append"] => {
  const settle = async (
    to: TopicPartition,
    placed: readonly Placed[],
    outcomes: AppendOutcome[],
  ): Promise<void> => {
    const { partition } = to;
    try {
      const first = await store.append(
        to,
        placed.map(({ record }) => record),
      );
      placed.forEach(({ record: { timestamp }, index }, position) => {
        outcomes[index] = { status: "stored", partition, offset: first + BigInt(position), timestamp };
      });
      onStored(to);
    } catch (error) {
      for (const { index } of placed) outcomes[index] = failed(asGatewayError(error));
    }
  };

  return async (name, records) => {
    const topic = store.topics().get(name);
    if (topic === undefined) return records.map(() => failed(new GatewayError("STATION_UNKNOWN")));

    const outcomes: AppendOutcome[] = new Array<AppendOutcome>(records.length);
    const byPartition = new Map<number, Placed[]>();
    const partitions = partitioner.choose(topic, records);
    records.forEach((record, index) => {
      const partition = partitions[index];
      if (partition === undefined) outcomes[index] = failed(new GatewayError("PARTITION_UNKNOWN"));
      else if (sizeOf(record) > topic.maxRecordBytes) {
        outcomes[index] = failed(new GatewayError("RECORD_TOO_LARGE"));
      } else {
        const placed = byPartition.get(partition);
        if (placed === undefined) byPartition.set(partition, [{ record, index }]);
        else placed.push({ record, index });
      }
    });
    await Promise.all(
      [...byPartition].map(([partition, placed]) => settle({ topic: name, partition }, placed, outcomes)),
    );
    return outcomes;
  };
};

/** `Broker.appendOnce` on a store: one append of the store for each batch. */
import { asGatewayError, GatewayError } from "../../errors.ts";
import { atMost, type Clock } from "../../lib/clock.ts";
import type { AppendOnce, OnceBatch, OnceBatchResult, TopicPartition } from "../broker.ts";
import { contentBytes } from "../record-bytes.ts";
import type { LocalStore, LocalTopic } from "./store.ts";

interface OnceParts {
  readonly store: LocalStore;
  readonly clock: Clock;
  /** Called for each partition that has new records. */
  readonly onStored: (partition: TopicPartition) => void;
}

const refused = (code: "STATION_UNKNOWN" | "PARTITION_UNKNOWN" | "RECORD_TOO_LARGE"): OnceBatchResult => ({
  status: "refused",
  error: new GatewayError(code),
});

const refusalOf = (topic: LocalTopic | undefined, { partition, records }: OnceBatch) => {
  if (topic === undefined) return refused("STATION_UNKNOWN");
  if (partition < 0 || partition >= topic.partitions) return refused("PARTITION_UNKNOWN");
  const isTooLarge = records.some((record) => contentBytes(record) > topic.maxRecordBytes);
  return isTooLarge ? refused("RECORD_TOO_LARGE") : undefined;
};

const STATUS = { refused: "refused", unavailable: "unsent", unknown: "unknown" } as const;

const failed = (cause: unknown): OnceBatchResult => {
  const error = asGatewayError(cause);
  return { status: STATUS[error.outcome], error };
};

export const createOnceAppends = ({ store, clock, onStored }: OnceParts): AppendOnce => {
  const storeBatch = async (to: TopicPartition, { records }: OnceBatch): Promise<OnceBatchResult> => {
    try {
      const baseOffset = await store.append(to, records);
      onStored(to);
      return { status: "stored", baseOffset, timestamp: undefined };
    } catch (error) {
      return failed(error);
    }
  };

  return (name, batches, { mayWrite, timeoutMs }) => {
    const topic = store.topics().get(name);
    const settle = async (batch: OnceBatch): Promise<OnceBatchResult> => {
      const refusal = refusalOf(topic, batch);
      if (refusal !== undefined) return refusal;
      if (!mayWrite())
        return failed(
          new GatewayError("BROKER_UNAVAILABLE", { cause: "the caller did not allow the write" }),
        );
      const stored = await atMost(
        clock,
        timeoutMs,
        storeBatch({ topic: name, partition: batch.partition }, batch),
      );
      return (
        stored ?? failed(new GatewayError("BROKER_AMBIGUOUS", { cause: `no result in ${timeoutMs} ms` }))
      );
    };
    return Promise.all(batches.map(settle));
  };
};

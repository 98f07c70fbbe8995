/** Batches of kafkajs, handed over as records of ours. */
import type { Batch, EachBatchPayload, IHeaders, KafkaMessage } from "kafkajs";
import type { ConsumedRecord, RecordHeader, SubscriptionHandlers } from "../broker.ts";
import { withOwnBytes } from "../own-bytes.ts";

export const handOver = (payload: EachBatchPayload, handlers: SubscriptionHandlers): void => {
  const { batch } = payload;
  const last = batch.messages.at(-1);
  if (last === undefined || payload.isStale() || !payload.isRunning()) return;
  handlers.onRecords(batch.messages.map((message) => withOwnBytes(consumed(message, batch))));
  const passed = BigInt(batch.lastOffset()) + 1n;
  // The handler may have gone elsewhere meanwhile.
  if (passed <= BigInt(last.offset) + 1n || payload.isStale()) return;
  handlers.onPassed?.({ topic: batch.topic, partition: batch.partition, offset: passed });
};

const consumed = (
  { key, value, headers, offset, timestamp }: KafkaMessage,
  { topic, partition }: Batch,
): ConsumedRecord => ({
  topic,
  partition,
  offset: BigInt(offset),
  timestamp: Number(timestamp),
  key,
  value,
  headers: headers === undefined ? [] : headersOf(headers),
});

const headersOf = (headers: IHeaders): readonly RecordHeader[] =>
  Object.entries(headers).flatMap(([name, values]) =>
    [values as unknown]
      .flat()
      .filter(isHeaderValue)
      .map((value) => ({ name, value })),
  );

/** kafkajs collects the values in a plain object, so that "constructor" and its like begin with what objects inherit. */
const isHeaderValue = (value: unknown): value is Buffer | null => value === null || Buffer.isBuffer(value);

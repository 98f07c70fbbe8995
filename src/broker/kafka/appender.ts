/**
 * Appends records: groups them into batches by partition, sends the batches in order, retries failed attempts, and reports
 * one outcome per record.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { GatewayError } from "../../errors.ts";
import type { AppendOutcome, BrokerRecord, TopicInfo } from "../broker.ts";
import { createPartitioner } from "../partitions.ts";
import {
  failedRecord,
  failDeleted,
  failRest,
  batchesByPartition,
  settleHead,
  type PartitionBatches,
} from "./partition-batches.ts";
import { failedBatch, type FailedBatch, type Producer } from "./producer.ts";
import { settledWithin } from "./options.ts";

export interface AppenderOptions {
  readonly producer: Producer;
  /** As `Broker.topic`; `fresh` skips the cache. */
  readonly topic: (name: string, fresh?: boolean) => Promise<TopicInfo | undefined>;
  /** Maximum time in milliseconds until an append settles. */
  readonly deliveryTimeout: number;
}

export type Append = (topic: string, records: readonly BrokerRecord[]) => Promise<readonly AppendOutcome[]>;

const FIRST_PAUSE = 50;
const LONGEST_PAUSE = 500;
/** An append ends this many milliseconds before its timeout, because the caller's own timeout started a little earlier. */
const MARGIN = 500;

/** The batches of one append, and the time until which they are retried. */
interface Sending {
  readonly topic: string;
  readonly partitions: readonly PartitionBatches[];
  readonly outcomes: AppendOutcome[];
  /** Milliseconds, as `performance.now()`. */
  readonly deadline: number;
}

interface Round {
  /** True if the head batch of at least one partition was settled or split. */
  readonly progress: boolean;
  /** The first failure. */
  readonly cause?: unknown;
  /** True if the broker doesn't know the topic. */
  readonly gone: boolean;
}

/** A retry doesn't change a refusal. */
const isRefusal = (error: unknown): boolean =>
  error instanceof GatewayError && error.code === "TOPIC_REFUSED";

/** Once an attempt has begun, a record without an outcome may be stored. */
const codeOf = (cause: unknown, began: boolean) => {
  if (began) return "BROKER_AMBIGUOUS";
  return isRefusal(cause) ? "TOPIC_REFUSED" : "BROKER_UNAVAILABLE";
};

const timeTo = (deadline: number): number => Math.max(1, deadline - performance.now());

const isOpen = ({ waiting }: PartitionBatches): boolean => waiting.length > 0;

const headsOf = (partitions: readonly PartitionBatches[]) =>
  partitions.flatMap(({ waiting }) => waiting.slice(0, 1));

/** True if the topic doesn't exist. A failed lookup proves nothing; the next attempt looks the topic up again. */
const isGone = (
  { topic }: Pick<AppenderOptions, "topic">,
  { topic: name, deadline }: Sending,
): Promise<boolean> =>
  settledWithin(timeTo(deadline), topic(name, true)).then(
    (info) => info === undefined,
    () => false,
  );

/** Sends the head batch of each partition once. */
const attempt = async (options: AppenderOptions, sending: Sending): Promise<Round> => {
  const { partitions, outcomes, deadline } = sending;
  const open = partitions.filter(isOpen);
  const heads = headsOf(open);
  const results = await settledWithin(timeTo(deadline), options.producer.send(sending.topic, heads)).catch(
    (overdue: unknown) => heads.map(() => failedBatch("ambiguous", overdue)),
  );
  let progress = false;
  const faults: FailedBatch[] = [];
  for (const [i, partition] of open.entries()) {
    const result = results[i] ?? failedBatch("ambiguous", "the client library returned no result");
    if (settleHead(partition, result, outcomes)) progress = true;
    else if (result.status === "failed") faults.push(result);
  }
  const gone = faults.some(({ fault }) => fault === "moved") && (await isGone(options, sending));
  return { progress, cause: faults[0]?.cause, gone };
};

export const createAppender = (options: AppenderOptions): Append => {
  const { producer, topic, deliveryTimeout } = options;
  const timeout = deliveryTimeout - Math.min(MARGIN, deliveryTimeout / 10);
  const partitioner = createPartitioner();
  /** Topics whose last append timed out. Until an append succeeds, appends to such a topic are not retried. */
  const unavailable = new Set<string>();

  const sendAll = async (sending: Sending): Promise<void> => {
    const { topic: name, partitions, outcomes, deadline } = sending;
    let pause = FIRST_PAUSE;
    let wasGone = false;
    while (partitions.some(isOpen)) {
      const { progress, cause, gone } = await attempt(options, sending);
      if (progress) {
        pause = FIRST_PAUSE;
      } else if (gone && wasGone) {
        // Two answers are needed: a broker may learn of a new topic a little later than the other brokers.
        producer.abandon(headsOf(partitions));
        failDeleted(partitions, outcomes);
      } else if (unavailable.has(name) || timeTo(deadline) <= pause) {
        unavailable.add(name);
        producer.abandon(headsOf(partitions));
        failRest(partitions, cause, outcomes);
        return;
      } else {
        await sleep(pause);
        pause = Math.min(2 * pause, LONGEST_PAUSE);
      }
      wasGone = gone;
    }
    unavailable.delete(name);
  };

  /** The last topic lookup timed out. Until a lookup succeeds, lookups are not retried. */
  let isLookupFailing = false;

  const find = async (name: string, deadline: number): Promise<TopicInfo | undefined> => {
    for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
      try {
        const info = await settledWithin(timeTo(deadline), topic(name));
        isLookupFailing = false;
        return info;
      } catch (error) {
        if (isRefusal(error)) throw error;
        isLookupFailing ||= timeTo(deadline) <= pause;
        if (isLookupFailing) throw error;
      }
      await sleep(pause);
    }
  };

  return async (name, records) => {
    const deadline = performance.now() + timeout;
    const outcomes: AppendOutcome[] = [];
    let began = false;
    try {
      const info = await find(name, deadline);
      if (info === undefined) return records.map(() => failedRecord("STATION_UNKNOWN", name));
      const partitions = batchesByPartition(partitioner.choose(info, records), records, outcomes);
      began = true;
      await sendAll({ topic: name, partitions, outcomes, deadline });
      return outcomes;
    } catch (cause) {
      return records.map((_, i) => outcomes[i] ?? failedRecord(codeOf(cause, began), cause));
    }
  };
};

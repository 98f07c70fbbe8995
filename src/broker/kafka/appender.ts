/** An append, from records to outcomes: partitions, batches, attempts in order, and the truth about each record. */
import { setTimeout as sleep } from "node:timers/promises";
import { GatewayError } from "../../errors.ts";
import type { AppendOutcome, BrokerRecord, TopicInfo } from "../broker.ts";
import { createPartitioner } from "../partitions.ts";
import {
  failedRecord,
  failGone,
  failRest,
  batchesByPartition,
  settleHead,
  type PartitionBatches,
} from "./partition-batches.ts";
import { failedBatch, type FailedBatch, type Producer } from "./producer.ts";
import { settledWithin } from "./options.ts";

export interface AppenderOptions {
  readonly producer: Producer;
  /** As `Broker.topic`; `fresh` asks past whatever is remembered. */
  readonly topic: (name: string, fresh?: boolean) => Promise<TopicInfo | undefined>;
  /** Milliseconds after which an append has settled. */
  readonly deliveryTimeout: number;
}

export type Append = (topic: string, records: readonly BrokerRecord[]) => Promise<readonly AppendOutcome[]>;

const FIRST_PAUSE = 50;
const LONGEST_PAUSE = 500;
/** Milliseconds before the timeout: who waits for the append began its own clock a little earlier. */
const MARGIN = 500;

/** Lanes that are not done yet, and the time by which they have to be. */
interface Sending {
  readonly topic: string;
  readonly lanes: readonly PartitionBatches[];
  readonly outcomes: AppendOutcome[];
  /** In the milliseconds of `performance.now()`. */
  readonly deadline: number;
}

interface Round {
  /** Has any lane got further? */
  readonly progress: boolean;
  /** Why one hasn't. */
  readonly cause?: unknown;
  /** The topic isn't there, as far as the broker knows that was asked. */
  readonly gone: boolean;
}

/** Asking again won't help. */
const isRefusal = (error: unknown): boolean =>
  error instanceof GatewayError && error.code === "TOPIC_REFUSED";

/** After an attempt began, a record without an outcome may be stored. */
const codeOf = (cause: unknown, began: boolean) => {
  if (began) return "BROKER_AMBIGUOUS";
  return isRefusal(cause) ? "TOPIC_REFUSED" : "BROKER_UNAVAILABLE";
};

const timeTo = (deadline: number): number => Math.max(1, deadline - performance.now());

const isOpen = ({ waiting }: PartitionBatches): boolean => waiting.length > 0;

const headsOf = (lanes: readonly PartitionBatches[]) => lanes.flatMap(({ waiting }) => waiting.slice(0, 1));

/** A topic that can't be asked for is there: it has been, and its broker will say. */
const isGone = (
  { topic }: Pick<AppenderOptions, "topic">,
  { topic: name, deadline }: Sending,
): Promise<boolean> =>
  settledWithin(timeTo(deadline), topic(name, true)).then(
    (info) => info === undefined,
    () => false,
  );

/** One attempt for the head of each lane, together. */
const attempt = async (options: AppenderOptions, sending: Sending): Promise<Round> => {
  const { lanes, outcomes, deadline } = sending;
  const open = lanes.filter(isOpen);
  const heads = headsOf(open);
  const results = await settledWithin(timeTo(deadline), options.producer.send(sending.topic, heads)).catch(
    (overdue: unknown) => heads.map(() => failedBatch("ambiguous", overdue)),
  );
  let progress = false;
  const faults: FailedBatch[] = [];
  for (const [i, lane] of open.entries()) {
    const result = results[i] ?? failedBatch("ambiguous", "the client told nothing");
    if (settleHead(lane, result, outcomes)) progress = true;
    else if (result.status === "failed") faults.push(result);
  }
  const gone = faults.some(({ fault }) => fault === "moved") && (await isGone(options, sending));
  return { progress, cause: faults[0]?.cause, gone };
};

export const createAppender = (options: AppenderOptions): Append => {
  const { producer, topic, deliveryTimeout } = options;
  const patience = deliveryTimeout - Math.min(MARGIN, deliveryTimeout / 10);
  const partitioner = createPartitioner();
  /** Topics whose last append was not acknowledged in time: until one is, an append is one attempt, and fails at once. */
  const away = new Set<string>();

  const sendAll = async (sending: Sending): Promise<void> => {
    const { topic: name, lanes, outcomes, deadline } = sending;
    let pause = FIRST_PAUSE;
    let wasGone = false;
    while (lanes.some(isOpen)) {
      const { progress, cause, gone } = await attempt(options, sending);
      if (progress) {
        pause = FIRST_PAUSE;
      } else if (gone && wasGone) {
        // Once isn't enough: a node may hear of a new topic a little later than others.
        producer.abandon(headsOf(lanes));
        failGone(lanes, outcomes);
      } else if (away.has(name) || timeTo(deadline) <= pause) {
        away.add(name);
        producer.abandon(headsOf(lanes));
        failRest(lanes, cause, outcomes);
        return;
      } else {
        await sleep(pause);
        pause = Math.min(2 * pause, LONGEST_PAUSE);
      }
      wasGone = gone;
    }
    away.delete(name);
  };

  /** Nobody told an append in time what its topic is: as `away`, for all topics that aren't known. */
  let untold = false;

  const find = async (name: string, deadline: number): Promise<TopicInfo | undefined> => {
    for (let pause = FIRST_PAUSE; ; pause = Math.min(2 * pause, LONGEST_PAUSE)) {
      try {
        const info = await settledWithin(timeTo(deadline), topic(name));
        untold = false;
        return info;
      } catch (error) {
        if (isRefusal(error)) throw error;
        untold ||= timeTo(deadline) <= pause;
        if (untold) throw error;
      }
      await sleep(pause);
    }
  };

  return async (name, records) => {
    const deadline = performance.now() + patience;
    const outcomes: AppendOutcome[] = [];
    let began = false;
    try {
      const info = await find(name, deadline);
      if (info === undefined) return records.map(() => failedRecord("STATION_UNKNOWN", name));
      const lanes = batchesByPartition(partitioner.choose(info, records), records, outcomes);
      began = true;
      await sendAll({ topic: name, lanes, outcomes, deadline });
      return outcomes;
    } catch (cause) {
      return records.map((_, i) => outcomes[i] ?? failedRecord(codeOf(cause, began), cause));
    }
  };
};

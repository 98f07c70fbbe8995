/**
 * Decides whether Kafka refuses a spooled event for good. A topic can be missing or forbidden for a while: nobody has created it
 * yet, or its rights come later. Events that were answered wait for it.
 */
import type { AppendOutcome, BrokerRecord } from "../broker/broker.ts";
import { type ErrorCode, GatewayError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import { isRefusal, OF_TOPIC } from "./refused.ts";

/**
 * Resolves to the number of the topic's partitions, and creates a missing topic if the settings allow that. 0: the topic is missing.
 * Rejects as `Broker.partitions` and `Broker.ensureTopic`.
 */
export type PrepareTopic = (topic: string) => Promise<number>;

export interface TopicRefusalsOptions {
  readonly topic: string;
  readonly prepare: PrepareTopic;
  readonly clock: Pick<Clock, "monotonic">;
  /** Milliseconds for which Kafka must refuse the topic before its events are refused for good: `spool.refusedAfter`. */
  readonly refusedAfterMs: number;
  /** Called while this time is not over. */
  readonly onRefused: (code: ErrorCode) => void;
}

/** True: the event is refused for good. Otherwise it must be sent again. */
export type IsFinal = (error: GatewayError, record: BrokerRecord) => boolean;

export class TopicRefusals {
  readonly #options: TopicRefusalsOptions;
  #isPrepared = false;
  #isMissing = false;
  /** By the monotonic clock: when Kafka began to refuse the topic. */
  #since: number | undefined;

  constructor(options: TopicRefusalsOptions) {
    this.#options = options;
  }

  /** Call it before each append. False: the topic can't be used now, so nothing may be sent. */
  async prepare(): Promise<boolean> {
    if (this.#isPrepared) return true;
    const { topic, prepare } = this.#options;
    let partitions: number;
    try {
      partitions = await prepare(topic);
    } catch (error) {
      if (error instanceof GatewayError && OF_TOPIC.includes(error.code)) return this.#isOver(error.code);
      this.#since = undefined;
      return false;
    }
    this.#isPrepared = partitions > 0;
    // The topic exists now: a later refusal of it begins a new time.
    if (this.#isPrepared && this.#isMissing) this.#since = undefined;
    this.#isMissing = !this.#isPrepared;
    return this.#isPrepared || this.#isOver("STATION_UNKNOWN");
  }

  /** Call it with the outcomes of each append. */
  async judge(outcomes: readonly AppendOutcome[]): Promise<IsFinal> {
    const codes = new Set(
      outcomes.flatMap((outcome) => (outcome.status === "failed" ? [outcome.error.code] : [])),
    );
    const refusal = OF_TOPIC.find((code) => codes.has(code));
    if (refusal === undefined) this.#since = undefined;
    else this.#isPrepared = false;
    const isOver = refusal !== undefined && this.#isOver(refusal);
    const partitions = codes.has("PARTITION_UNKNOWN") ? await this.#partitions() : 0;
    return (error, { partition = 0 }) => {
      if (OF_TOPIC.includes(error.code)) return isOver;
      return error.code === "PARTITION_UNKNOWN" ? partition >= partitions : isRefusal(error);
    };
  }

  /** Kafka refuses the topic now. True: it has done so for long enough. */
  #isOver(code: ErrorCode): boolean {
    const { clock, refusedAfterMs, onRefused } = this.#options;
    const now = clock.monotonic();
    this.#since ??= now;
    const isOver = now - this.#since >= refusedAfterMs;
    if (!isOver) onRefused(code);
    return isOver;
  }

  /** As Kafka has them now: the append may have used older metadata. */
  #partitions(): Promise<number> {
    const { topic, prepare } = this.#options;
    return prepare(topic).catch(() => Infinity);
  }
}

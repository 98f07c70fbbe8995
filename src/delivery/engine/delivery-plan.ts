/** What the engine needs to know of one stream of deliveries, whatever kind of endpoint it goes to. */
import type { TopicSelection } from "./topic-selection.ts";
import type { Endpoint } from "./endpoint.ts";
import type { LaneOf } from "./ordering.ts";
import type { Strategy } from "./strategy/strategy.ts";

export interface DeliveryPlan {
  /** For logs, metrics and dead letters. */
  readonly name: string;
  /** Consumer group; without a committed offset it begins at the earliest record. */
  readonly group: string;
  readonly topics: TopicSelection;
  readonly endpoint: Endpoint;
  readonly strategy: Strategy;
  readonly laneOf: LaneOf;
  /** Most requests in flight at once. */
  readonly inFlight: number;
  /** A record is not sent before its timestamp and this; retries don't wait again. Milliseconds. */
  readonly delayMs: number;
  /** Random part added to a wait, as a fraction of it. */
  readonly jitter: number;
  /** A wait is never shorter than the answer's Retry-After, which counts for at most so many milliseconds; 0: not at all. */
  readonly maxRetryAfterMs: number;
  readonly ratePerSecond: number | undefined;
  /** Where dropped records go; it is created when it is missing. */
  readonly deadLetterTopic: string | undefined;
  /** By partition, where records are no longer this plan's; absent: it goes on for ever. */
  readonly ends?: ReadonlyMap<number, bigint>;
  /** Milliseconds; 0: no limit. */
  readonly connectTimeoutMs: number;
  readonly readTimeoutMs: number;
  /** false: whoever answers for the endpoint's name over TLS is believed; absent: its certificate is checked. */
  readonly checkCertificate?: boolean;
}

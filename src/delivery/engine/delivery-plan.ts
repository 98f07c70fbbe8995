/** What the engine needs to know of one stream of deliveries, whatever kind of endpoint it goes to. */
import type { ConsumedRecord } from "../../broker/broker.ts";
import type { OrderKeyOf } from "./ordering.ts";
import type { Failure, Strategy } from "./strategy.ts";
import type { TopicSelection } from "./topic-selection.ts";

export interface DeliveryPlan {
  /** For logs, metrics and dead letters. */
  readonly name: string;
  /** Consumer group; without a committed offset it begins at the earliest record. */
  readonly group: string;
  readonly topics: TopicSelection;
  readonly endpoint: Endpoint;
  readonly strategy: Strategy;
  readonly orderKeyOf: OrderKeyOf;
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

/**
 * What differs between kinds of endpoints; the engine around them is one. An endpoint decides which records concern
 * it, writes the request of each attempt, and says what an answer means.
 */

export interface DeliveryRequest {
  /** Scheme, host and port. */
  readonly origin: string;
  /** Path and query. */
  readonly path: string;
  readonly method: "POST" | "PUT" | "DELETE";
  /** Names and values in turn. */
  readonly headers: readonly string[];
  readonly body: Buffer | null;
  /**
   * A 307 or 308 is followed within this host (`host[:port as written]`), as part of the attempt; absent: it is the
   * attempt's answer, like any other redirect.
   */
  readonly followWithin?: string;
}

/** An answer's head and at most the first 64 KiB of its body. */
interface HttpAnswer {
  readonly status: number;
  readonly retryAfter: string | undefined;
  readonly body: Buffer;
  /** What is wrong with the answer, where its status doesn't say it all. */
  readonly error?: string;
}

/** No answer: what happened to the connection, in words for logs and traces. */
interface HttpFailure {
  /**
   * `unreachable`: nobody listens, or the name leads nowhere; `forbidden`: the address isn't allowed, which stops the
   * task; `lost`: anything else, an answer that is late included.
   */
  readonly kind: "unreachable" | "forbidden" | "lost";
  readonly error: string;
}

export type HttpResult = HttpAnswer | HttpFailure;

/** Asked once a record, before its first attempt. */
export type Admission = "deliver" | "skip" | { readonly deadLetter: string };

export interface Endpoint {
  /** Asked as a record is read: one that doesn't concern the endpoint is passed over, and costs nothing more. */
  concerns?(record: ConsumedRecord): boolean;
  admit(record: ConsumedRecord): Admission;
  /** The request of one attempt; asked again for each, so that what is signed or dated is fresh. */
  render(record: ConsumedRecord, now: number): DeliveryRequest;
  classify(result: HttpResult): "done" | Failure;
}

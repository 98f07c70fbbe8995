/**
 * A delivery plan: what the engine needs to know about one stream of deliveries. The engine is the same for all kinds of
 * endpoints. An endpoint decides which records it wants, writes the request of each attempt, and says what an answer means.
 */
import {
  type Broker,
  type BrokerRecord,
  type ConsumedRecord,
  isInternalTopic,
  type RecordHeader,
} from "../../broker/broker.ts";
import type { OrderKeyOf } from "./ordering.ts";
import type { Failure, Strategy } from "./strategy.ts";
import type { Transport } from "./transport.ts";

export interface DeliveryPlan {
  /** Name in logs, metrics and dead letters. */
  readonly name: string;
  /** Consumer group. */
  readonly group: string;
  /** Where the group starts without a committed offset. Default: at the earliest record. */
  readonly startAt?: "earliest" | "latest";
  readonly topics: TopicSelection;
  readonly endpoint: Endpoint;
  /** Absent: the endpoint gets the records as they are stored. */
  readonly preparation?: Preparation | undefined;
  /** Absent: each record has its own request. */
  readonly batching?: Batching | undefined;
  readonly strategy: Strategy;
  readonly orderKeyOf: OrderKeyOf;
  /** Maximum number of requests in flight. */
  readonly inFlight: number;
  /** Milliseconds after a record's timestamp before which it is not sent. Retries don't wait again. */
  readonly delayMs: number;
  /** Random part added to a wait, as a fraction of it. */
  readonly jitter: number;
  /** Retry-After of an answer lengthens the wait, up to this many milliseconds. 0: Retry-After is ignored. */
  readonly maxRetryAfterMs: number;
  readonly ratePerSecond: number | undefined;
  /** Topic for dropped records. It is created if it is missing. */
  readonly deadLetterTopic: string | undefined;
  /** Absent: the gateway's own form. */
  readonly deadLetterForm?: LetterForm | undefined;
  /** False: only records that failed before `TASK_PUT` get a dead letter. Default: true. */
  readonly hasLettersOfDeliveries?: boolean | undefined;
  /** Absent: no reports are written. */
  readonly reports?: Reports | undefined;
  /** End offset per partition (exclusive). Absent: the plan has no end. */
  readonly ends?: ReadonlyMap<number, bigint>;
  /** Milliseconds; 0: no limit. */
  readonly connectTimeoutMs: number;
  readonly readTimeoutMs: number;
  /** Whether the endpoint's TLS certificate is checked. Default: true. */
  readonly checkCertificate?: boolean;
  /** Absent: directly, with Node's certificate authorities and without an access token. */
  readonly transport?: Transport | undefined;
}

/** Why a record was dropped. */
export interface DropCause {
  readonly connector: string;
  readonly stage: FailureStage;
  readonly attempts: number;
  /** Status of the last attempt. undefined: the attempt got no answer, or there was none. */
  readonly status: number | undefined;
  /** Never empty. */
  readonly error: string;
}

/** How dead letters say where they came from and why. */
export interface LetterForm {
  /** Partitions and replicas of a dead letter topic that is created. Absent: the broker's defaults. */
  readonly creation?: { readonly partitions: number; readonly replicasAtMost: number };
  /** Why dead letters can't be replayed. Absent: they can. */
  readonly unreplayable?: string;
  /** The headers of the dead letter of this record. */
  headersOf(record: ConsumedRecord, cause: DropCause): readonly RecordHeader[];
  /** The record that this connector dropped. undefined: `letter` is no dead letter of this connector. */
  originalOf<R extends ConsumedRecord>(letter: R, connector: string): R | undefined;
}

/** A topic that the gateway creates if it is missing. */
export interface CreatedTopic {
  readonly name: string;
  readonly partitions: number;
  readonly replicasAtMost: number;
}

/** How a delivery ended: with a success, or with the last failure. */
export interface DeliveryEnd {
  readonly isDelivered: boolean;
  /** Absent: there was no request. */
  readonly url?: string | undefined;
  /** Absent: there was no answer. */
  readonly answer?: HttpAnswer;
  /** Why there was no answer. */
  readonly error?: string | undefined;
}

/** Reports of ended deliveries. A report is stored before its record is finished. */
export interface Reports {
  /** undefined: no reports of this end. */
  topicOf(end: DeliveryEnd): CreatedTopic | undefined;
  /** `record`: as it is stored. */
  reportOf(record: ConsumedRecord, end: DeliveryEnd, now: number): BrokerRecord;
}

/** A record as the endpoint gets it. */
export interface PreparedRecord extends ConsumedRecord {
  /** Media type of the value, if the preparation has replaced the value. */
  readonly contentType?: string;
  /** Where and how the record is sent, if that depends on the record. */
  readonly request?: RecordRequest;
}

export type RecordRequest = Pick<DeliveryRequest, "origin" | "path" | "method" | "headers"> & {
  /** As in `Batching.groupOf`. */
  readonly group: string | undefined;
};

export type Prepared =
  | { readonly action: "send"; readonly record: PreparedRecord }
  /** `reason`: why the skipped record is logged. Absent: it isn't logged. */
  | { readonly action: "skip"; readonly reason?: string }
  | { readonly action: "drop"; readonly reason: string; readonly stage?: FailureStage }
  | { readonly action: "stop"; readonly reason: string; readonly stage?: FailureStage };

/** Kafka Connect's names of the steps in which a record can fail. */
export type FailureStage = "VALUE_CONVERTER" | "TRANSFORMATION" | "TASK_PUT";

/** A step before each attempt, for records that are admitted. */
export interface Preparation {
  /**
   * undefined: the record can be prepared now. Otherwise its partition waits for the promise. If the promise is rejected,
   * the engine asks again later. A wait is not an attempt, and it has no limit.
   */
  ready(record: ConsumedRecord): Promise<void> | undefined;
  /** Called only when the record is ready. Must not throw. */
  prepare(record: ConsumedRecord): Prepared;
}

export interface DeliveryRequest {
  /** Scheme, host and port. */
  readonly origin: string;
  /** Path and query. */
  readonly path: string;
  readonly method: "POST" | "PUT" | "PATCH" | "DELETE";
  /** Names and values, alternating. */
  readonly headers: readonly string[];
  readonly body: Buffer | null;
  /**
   * Follows 307 and 308 answers to this host (`host[:port as written]`) as part of the attempt. Absent: a redirect is
   * the answer of the attempt.
   */
  readonly followWithin?: string;
  /** In place of the plan's time limits. Milliseconds; 0: no limit. */
  readonly connectTimeoutMs?: number;
  readonly readTimeoutMs?: number;
}

/** How a delivery plan cuts and sends batches. */
export interface Batching {
  readonly maxRecords: number;
  /** Absent: `maxRecords` holds for every record. */
  readonly maxRecordsOf?: (record: PreparedRecord) => number;
  /** A batch ends before its body exceeds this size. A larger record is a batch alone. */
  readonly maxBytes: number;
  /** Milliseconds that a batch waits for further records. 0: it takes the records that have arrived. */
  readonly lingerMs: number;
  /** Records of a partition with the same group share a batch. undefined: the record is sent alone, and ends the open batches of its partition. */
  readonly groupOf: (record: PreparedRecord) => string | undefined;
  /** Size of the body around the records. */
  readonly frameBytes: number;
  /** Size that the record adds to the body. */
  readonly bytesOf: (record: PreparedRecord) => number;
  /** The request of one attempt. Called for each attempt, always with the same records. */
  readonly render: (records: readonly PreparedRecord[], now: number) => DeliveryRequest;
}

/** An answer's head and at most the first 64 KiB of its body. */
export interface HttpAnswer {
  readonly status: number;
  /** The text after the status. undici gives only a part of it if it arrives in pieces. */
  readonly reason?: string;
  readonly retryAfter: string | undefined;
  readonly body: Buffer;
  /** What is wrong with the answer, if the status alone doesn't say it. */
  readonly error?: string;
  /** The target refused the access token. The next attempt has a new token, and follows at once. */
  readonly isTokenRefused?: true;
}

/** The attempt got no answer. `error` describes the failure for logs and traces. */
interface HttpFailure {
  /**
   * `unreachable`: the connection was refused, or the host name can't be resolved. `forbidden`: the address isn't
   * allowed, or the token endpoint answers without a token; this stops the task. `lost`: every other failure, and a timeout.
   */
  readonly kind: "unreachable" | "forbidden" | "lost";
  readonly error: string;
}

export type HttpResult = HttpAnswer | HttpFailure;

/** Decided once for each record, before its first attempt. */
export type Admission = "deliver" | "skip" | { readonly deadLetter: string };

export interface Endpoint {
  /** Called when a record is read. If it returns false, the record is skipped at once. */
  concerns?(record: ConsumedRecord): boolean;
  admit(record: ConsumedRecord): Admission;
  /** The request of one attempt. Called for each attempt, so that signatures and times are fresh. */
  render(record: PreparedRecord, now: number): DeliveryRequest;
  classify(result: HttpResult, record: PreparedRecord): "done" | Failure;
}

/** Topics by name, or by a pattern that must match the whole name. A pattern never selects internal topics. */
export type TopicSelection = { readonly names: readonly string[] } | { readonly pattern: RegExp };

const namesOf = async (broker: Pick<Broker, "topics">, pattern: RegExp): Promise<readonly string[]> => {
  const topics = await broker.topics();
  return topics.map(({ name }) => name).filter((name) => pattern.test(name) && !isInternalTopic(name));
};

/** The selected topics that exist now, sorted. Rejects with BROKER_UNAVAILABLE. */
export const existingTopics = async (
  broker: Pick<Broker, "topics" | "topic">,
  selection: TopicSelection,
): Promise<readonly string[]> => {
  if ("pattern" in selection) return (await namesOf(broker, selection.pattern)).toSorted();
  const found = await Promise.all(selection.names.map((name) => broker.topic(name)));
  return selection.names.filter((_, index) => found[index] !== undefined).toSorted();
};

/** Milliseconds until the next check for new topics. undefined: all named topics exist. */
export const nextLookupMs = (selection: TopicSelection, found: readonly string[]): number | undefined => {
  if ("pattern" in selection) return 5000;
  return found.length < selection.names.length ? 1000 : undefined;
};

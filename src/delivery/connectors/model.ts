/**
 * The connector model: what a connector does, independent of the family in whose keys it was written. A family translates its
 * keys into the model, and `plan.ts` makes a delivery plan of it.
 */
import type {
  Batching,
  DeliveryRequest,
  HttpResult,
  LetterForm,
  Prepared,
  PreparedRecord,
  Reports,
  TopicSelection,
} from "../engine/delivery-plan.ts";
import type { Failure, Strategy } from "../engine/strategy.ts";
import type { Transport } from "../engine/transport.ts";
import type { Filter } from "../expressions/filter/filter.ts";
import type { Pace, TransformModel } from "./config-reader.ts";
import type { HeaderPair } from "./config-values.ts";
import type { Conversion } from "./conversions.ts";
import type { Transformation } from "./transformations.ts";

export interface ConnectorModel extends Pace {
  readonly name: string;
  readonly topics: TopicSelection;
  readonly request: RequestModel | RecordRequests;
  /** Milliseconds; 0: no limit. */
  readonly connectTimeoutMs: number;
  readonly readTimeoutMs: number;
  readonly checkCertificate: boolean;
  /** Certificates, proxy and access token. */
  readonly transport?: Transport;
  readonly delayMs: number;
  readonly conversion: Conversion;
  readonly transformations: readonly Transformation[];
  /** Absent: all records pass. */
  readonly filter: Filter | undefined;
  /** Absent: the values are sent as they are. */
  readonly transform: TransformModel | undefined;
  readonly tombstones: "skip" | "send" | "dead-letter";
  /** Absent: each record has its own request. */
  readonly batch: BatchModel | undefined;
  /** What an answer means. */
  readonly classify: (result: HttpResult, record: PreparedRecord) => "done" | Failure;
  /** What follows a failed attempt. */
  readonly strategy: Strategy;
  readonly deadLetterTopic: string | undefined;
  /** Absent: the form of the gateway's own dead letters. */
  readonly deadLetterForm?: LetterForm;
  /** False: failed deliveries get no dead letter. Default: true. */
  readonly hasLettersOfDeliveries?: boolean;
  /** Absent: no reports are written. */
  readonly reports?: Reports | undefined;
}

/** Requests that depend on the record. They also decide about null values and batches. */
export interface RecordRequests {
  /** The last step before the first attempt. */
  readonly prepare: (record: PreparedRecord) => Prepared;
  /** The request of prepared records that share one. */
  readonly render: (records: readonly PreparedRecord[], now: number) => DeliveryRequest;
  /** undefined: each record is sent alone. */
  readonly batching: Batching | undefined;
}

/** The same request for each record. */
export interface RequestModel {
  readonly url: URL;
  readonly method: "POST" | "PUT" | "DELETE";
  readonly headers: readonly HeaderPair[];
  /** Adds `X-Kafka-Topic` and the B3 headers, which name the record. */
  readonly namesRecord: boolean;
  /** Signing secret for Standard Webhooks. */
  readonly secret: Buffer | undefined;
}

export interface BatchModel {
  readonly maxRecords: number;
  readonly maxBytes: number;
  readonly lingerMs: number;
  /** Text before, between and after the values. */
  readonly prefix: string;
  readonly separator: string;
  readonly suffix: string;
}

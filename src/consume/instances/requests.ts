/**
 * The calls of consumer instances, as the receiving process sends them to the home: it has checked the caller's rights and
 * the shapes. The path of a call is `/v2/<operation>`, its body the JSON of the request.
 */
import type { RecordFormat } from "./record-format.ts";

/** A topic as the client names it. */
export interface NamedTopic {
  readonly name: string;
  readonly station: string;
  /** As Kafka has it. */
  readonly topic: string;
}

export interface NamedPartition extends NamedTopic {
  readonly partition: number;
}

export interface InstanceSettings {
  readonly format: RecordFormat;
  readonly reset: "earliest" | "latest";
  readonly autoCommit: boolean;
  /** -1: a read waits for its whole timeout. */
  readonly minBytes: number;
  /** Milliseconds that a read waits if its request has no timeout. */
  readonly timeoutMs: number;
}

/** A content type that the client accepts, in its order of preference. */
export interface AcceptedType {
  readonly type: string;
  /** Absent: the instance's format. Names that the gateway doesn't know are possible. */
  readonly format?: string;
}

/** Integers that may be above 2^53 are texts. */
interface Operations {
  readonly create: {
    readonly settings: InstanceSettings;
    readonly baseUri: string;
    /** Random. A repeated request with the same id gets the same answer. */
    readonly requestId: string;
  };
  readonly delete: object;
  readonly subscribe: { readonly topics?: readonly NamedTopic[]; readonly pattern?: string };
  readonly subscription: object;
  readonly unsubscribe: object;
  readonly assign: { readonly partitions: readonly NamedPartition[] };
  readonly assignment: object;
  readonly seek: {
    readonly offsets: readonly (NamedPartition & { readonly offset: string })[];
    /** Milliseconds since the epoch. */
    readonly timestamps: readonly (NamedPartition & { readonly timestamp: number })[];
  };
  readonly beginning: { readonly partitions: readonly NamedPartition[] };
  readonly end: { readonly partitions: readonly NamedPartition[] };
  readonly records: {
    readonly accept: readonly AcceptedType[];
    readonly timeoutMs?: number;
    readonly maxBytes?: number;
  };
  readonly commit: {
    /** Offsets of the last records that were processed. Absent: everything that was read. */
    readonly offsets?: readonly (NamedPartition & { readonly offset: string; readonly metadata: string })[];
  };
  readonly committed: { readonly partitions: readonly NamedPartition[] };
}

export type Operation = keyof Operations;
export type Arguments<O extends Operation> = Operations[O];

/** Who calls which instance. */
export interface InstanceCall {
  /** Kind and name of the principal. */
  readonly owner: string;
  /** As `Principal.readable`. */
  readonly readable: readonly (readonly string[])[];
  /** As Kafka has it. */
  readonly group: string;
  readonly instance: string;
}

export const V2_PATH = "/v2/";
export const V2_TYPE = "application/vnd.kafka.v2+json";
/** The longest time that a read may wait, in milliseconds. */
export const LONGEST_TIMEOUT_MS = 300_000;
/** Milliseconds that the first read, seek or commit waits for the assignment. */
export const ASSIGNMENT_MS = 10_000;

/** One attempt to store record batches, without retries: the contract of `Broker.appendOnce`. */
import type { GatewayError } from "../errors.ts";
import type { BrokerRecord } from "./records.ts";

/** Records of one partition, in order. There is at least one. They are stored as one record batch: all of them, or none. */
export interface OnceBatch {
  readonly partition: number;
  /** Each record's own `partition` has no effect. */
  readonly records: readonly BrokerRecord[];
}

export interface OnceOptions {
  /**
   * Called in the turn of the event loop in which the request is written, for each request (one for each leader). The
   * connection has no unsent bytes then. If it returns false, nothing is written, and the batches are `unsent`.
   */
  readonly mayWrite: () => boolean;
  /** Maximum time in milliseconds until the results. */
  readonly timeoutMs: number;
}

export type OnceBatchResult =
  | {
      readonly status: "stored";
      readonly baseOffset: bigint;
      /** Milliseconds since the epoch: the broker's time, if the topic uses it; undefined: the records keep their own. */
      readonly timestamp: number | undefined;
    }
  /** Nothing was stored, and a repeat of the same batch fails too. After RECORD_TOO_LARGE and RECORD_REFUSED, halves can be tried. */
  | { readonly status: "refused"; readonly error: GatewayError }
  /** Nothing was stored: nothing was written, or there were too few in-sync replicas. */
  | { readonly status: "unsent"; readonly error: GatewayError }
  /**
   * The batch may be stored. The connection of the request is closed. `isAnswered`: the broker has answered with an error, so the
   * batch can't be stored later than now.
   */
  | { readonly status: "unknown"; readonly isAnswered?: true; readonly error: GatewayError };

/**
 * Tries once to store the batches, at most one for each partition. Resolves to one result per batch, in order; never rejects.
 * "stored" has the meaning that it has in `Broker.append`.
 */
export type AppendOnce = (
  topic: string,
  batches: readonly OnceBatch[],
  options: OnceOptions,
) => Promise<readonly OnceBatchResult[]>;

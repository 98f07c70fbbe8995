/** Options of the Kafka adapter. Names and defaults are those of the settings under `broker.kafka`. */
import { GatewayError } from "../../errors.ts";
import type { SaslOptions } from "./sign-in/sasl.ts";

/** Certificates and keys as PEM texts. */
export interface TlsOptions {
  /** Absent: the certificate authorities of the system. */
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** false: accepts any certificate of the broker. Default: true. */
  readonly checkCertificate?: boolean | undefined;
}

export type CompressionName = "none" | "gzip" | "snappy" | "lz4" | "zstd";

type ClientName = "kafkajs" | "platformatic";

/** `consumer`: KIP-848. */
export type GroupProtocol = "classic" | "consumer";

/** Times in milliseconds. */
export interface KafkaOptions {
  /** `host:port` of at least one broker of the cluster. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly ssl: TlsOptions | undefined;
  readonly sasl: SaslOptions | undefined;
  readonly compression: CompressionName;
  /** Retries by the gateway write no duplicates. */
  readonly idempotent: boolean;
  /** The client library that writes. An idempotent producer always uses platformatic. */
  readonly producer: ClientName;
  /** The client library of subscriptions with the classic group protocol, or without a group. */
  readonly consumer: ClientName;
  /** The protocol of subscriptions with a group. */
  readonly groupProtocol: GroupProtocol;
  /** The cluster does not have the wanted protocol. Called once. */
  readonly onClassicInstead?: () => void;
  readonly connectTimeout: number;
  readonly requestTimeout: number;
  /** Maximum time until an append settles. */
  readonly deliveryTimeout: number;
  /** Maximum record size in bytes of a topic that is created without one. Default: the broker's maximum. */
  readonly maxRecordBytes?: () => number;
  /** The group removes a crashed member after this time. Default: 10,000. */
  readonly sessionTimeout?: number;
}

/** Throws the error if it is a GatewayError, else BROKER_UNAVAILABLE with this cause. */
export const asUnavailable = (cause: unknown): never => {
  throw cause instanceof GatewayError ? cause : new GatewayError("BROKER_UNAVAILABLE", { cause });
};

class Overdue extends Error {
  override readonly name = "Overdue";
}

/** Settles as the promise does, or rejects with Overdue after `ms` milliseconds. A later result or error is ignored. */
export const settledWithin = <T>(ms: number, promise: Promise<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Overdue(`timed out after ${ms} ms`));
    }, ms);
    promise
      .finally(() => {
        clearTimeout(timer);
      })
      .then(resolve, reject);
  });

/** What the Kafka adapter is told; names and defaults are those of the settings under `broker.kafka`. */

/** PEM texts. */
export interface TlsOptions {
  /** Absent: the system's authorities. */
  readonly ca?: string | undefined;
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  /** false: whoever answers is believed to be the broker. Default: true. */
  readonly checkCertificate?: boolean | undefined;
}

export interface SaslOptions {
  readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
  readonly username: string;
  readonly password: string;
}

export type CompressionName = "none" | "gzip" | "snappy" | "lz4" | "zstd";

type ProducerName = "kafkajs" | "platformatic";

/** Times in milliseconds. */
export interface KafkaOptions {
  /** host:port of some brokers of the cluster. */
  readonly brokers: readonly string[];
  readonly clientId: string;
  readonly ssl: TlsOptions | undefined;
  readonly sasl: SaslOptions | undefined;
  readonly compression: CompressionName;
  /** The gateway's own retries make no duplicates. */
  readonly idempotent: boolean;
  /** Which client writes; an idempotent one is always platformatic. */
  readonly producer: ProducerName;
  readonly connectTimeout: number;
  readonly requestTimeout: number;
  /** An append has settled after it. */
  readonly deliveryTimeout: number;
  /** Largest record in bytes that a topic must take which is created and doesn't say so itself. Default: the broker's. */
  readonly maxRecordBytes?: number;
  /** A group misses a member that is gone without a word after it. Default: 10,000. */
  readonly sessionTimeout?: number;
}

/** Bounds on the patience with a client library. */

class Overdue extends Error {
  override readonly name = "Overdue";
}

/** The promise's end, or an Overdue after so many milliseconds; what comes later is dropped, failures included. */
export const settledWithin = <T>(ms: number, promise: Promise<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Overdue(`no end within ${ms} ms`));
    }, ms);
    promise
      .finally(() => {
        clearTimeout(timer);
      })
      .then(resolve, reject);
  });

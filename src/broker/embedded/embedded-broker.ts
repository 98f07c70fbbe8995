/** The broker where there is no Kafka: a log on the disk of this machine, for one process. */
import type { Broker } from "../broker.ts";
import { createLocalBroker } from "../local/local-broker.ts";
import { createEmbeddedStore } from "./embedded-store.ts";

export interface EmbeddedBrokerOptions {
  /** The log's own directory; it is made when it is missing. */
  readonly dir: string;
  /** Partitions of a topic that is created without a number of its own. Default: 4. */
  readonly partitions?: number;
  /** Largest record of a topic that is created without a size of its own, in bytes. Default: 4 MiB. */
  readonly maxRecordBytes?: number;
  /** Free bytes that each commit must leave on the disk; with less, nothing is stored. Default: 8 MiB. */
  readonly minFree?: number;
  /** What the disk has free; default: the file system's answer. */
  readonly freeBytes?: (directory: string) => Promise<number>;
  /** Milliseconds after which a record that the disk has not taken is given up. Default: 10,000. */
  readonly deliveryTimeout?: number;
}

const MIB = 1024 * 1024;

/**
 * A broker whose `open` rejects with SETTINGS_INVALID where another process has the directory, or where what lies
 * there is no log of this program. "Stored" means flushed (see `environment.ts`). Nothing is ever deleted, of compacted
 * topics neither.
 */
export const createEmbeddedBroker = (options: EmbeddedBrokerOptions): Broker => {
  const { dir, partitions = 4, maxRecordBytes = 4 * MIB, deliveryTimeout = 10_000 } = options;
  const { minFree = 8 * MIB, freeBytes } = options;
  return createLocalBroker({
    kind: "embedded",
    store: createEmbeddedStore({ directory: dir, minFree, freeBytes, deliveryTimeout }),
    partitions,
    maxRecordBytes,
  });
};

/** A broker for tests: everything that the port promises but durability. */
import type { Broker } from "../broker.ts";
import { createLocalBroker } from "../local/local-broker.ts";
import { createMemoryStore } from "./memory-store.ts";

export interface MemoryBrokerOptions {
  /** Partitions of a topic that is created without a number of its own. Default: 4. */
  readonly partitions?: number;
}

const MAX_RECORD_BYTES = 1024 * 1024;

/** An empty broker without topics, in this process alone. It needs no `open`. */
export const createMemoryBroker = ({ partitions = 4 }: MemoryBrokerOptions = {}): Broker =>
  createLocalBroker({
    kind: "memory",
    store: createMemoryStore(),
    partitions,
    maxRecordBytes: MAX_RECORD_BYTES,
  });

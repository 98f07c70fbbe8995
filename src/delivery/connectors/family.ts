/** A family: connector classes that share one set of keys. */
import type { Faults, GatewayFacts } from "./config-reader.ts";
import type { Key } from "./keys.ts";
import type { RawConfig } from "./masking.ts";
import type { ConnectorModel } from "./model.ts";

export type ParsedConfig = { readonly model: ConnectorModel } | Faults;

export interface Family {
  /** Values of `connector.class`: the full name, then the other names that Kafka Connect takes. */
  readonly classes: readonly [string, ...string[]];
  /** In the order in which Kafka Connect lists them. */
  readonly keys: readonly Key<unknown>[];
  /** Returns the model, or all faults of the configuration. */
  readonly parse: (name: string, config: RawConfig, facts: GatewayFacts) => ParsedConfig;
}

/** What Connect says of a configuration: as one error, and key by key. */
import { GatewayError } from "../../errors.ts";
import {
  CONNECTOR_CLASS,
  isKnownClass,
  parseConnectorConfig,
  type ConfigFault,
} from "../config/connector-config.ts";
import { KEYS, type Key } from "../config/keys.ts";
import { maskConfig, type RawConfig } from "../config/masking.ts";

export interface ConfigReport {
  readonly name: string;
  readonly error_count: number;
  readonly groups: readonly string[];
  readonly configs: readonly {
    readonly definition: Readonly<Record<string, unknown>>;
    readonly value: {
      readonly name: string;
      readonly value: string | null;
      readonly recommended_values: readonly string[];
      readonly errors: readonly string[];
      readonly visible: boolean;
    };
  }[];
}

/** Throws CONNECTOR_CONFIG_INVALID with a line for each fault. */
export const requireValid = (name: string, config: RawConfig): void => {
  const parsed = parseConnectorConfig(name, config);
  if ("settings" in parsed) return;
  const { faults } = parsed;
  throw new GatewayError("CONNECTOR_CONFIG_INVALID", {
    message: [
      `Connector configuration is invalid and contains the following ${faults.length} error(s):`,
      ...faults.map(({ message }) => message),
      "You can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`",
    ].join("\n"),
  });
};

const GROUP = "Common";

const definitionOf = ({ name, type, required, help, default: fallback }: Key<unknown>, order: number) => ({
  name,
  type,
  required,
  default_value: fallback ?? null,
  importance: required ? "HIGH" : "MEDIUM",
  documentation: help,
  group: GROUP,
  order,
  width: "NONE",
  display_name: name,
  dependents: [],
});

const faultsOf = (faults: readonly ConfigFault[], { name, aliases }: Key<unknown>): readonly string[] =>
  faults.filter(({ key }) => key === name || aliases.includes(key)).map(({ message }) => message);

/** Throws CONNECTOR_CONFIG_INVALID when the class is none that is known here. */
export const reportOf = (connectorClass: string, config: RawConfig): ConfigReport => {
  if (!isKnownClass(connectorClass)) {
    throw new GatewayError("CONNECTOR_CONFIG_INVALID", {
      message: `Failed to find any class that implements Connector and which name matches ${connectorClass}, available connectors are: ${CONNECTOR_CLASS}`,
    });
  }
  const parsed = parseConnectorConfig(config[KEYS.name.name] ?? "", config);
  const faults = "faults" in parsed ? parsed.faults : [];
  const shown = maskConfig(config);
  return {
    name: connectorClass,
    error_count: faults.length,
    groups: [GROUP],
    configs: Object.values<Key<unknown>>(KEYS).map((key, index) => ({
      definition: definitionOf(key, index + 1),
      value: {
        name: key.name,
        value:
          [key.name, ...key.aliases].map((name) => shown[name]).find((value) => value !== undefined) ??
          key.default ??
          null,
        recommended_values: [],
        errors: faultsOf(faults, key),
        visible: true,
      },
    })),
  };
};

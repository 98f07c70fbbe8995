/** What is wrong with a connector's name or configuration: as one error, as lines for the start, and key by key as Connect says it. */
import { GatewayError } from "../../errors.ts";
import { CONNECTOR_CLASS, isKnownClass, parseConnectorConfig, type ConfigFault } from "./connector-config.ts";
import { KEYS, type Key } from "./config-keys.ts";
import { maskConfig, type RawConfig } from "./masking.ts";
import { groupOf } from "./connector-plan.ts";
import { createTargets, type Targets } from "../engine/targets.ts";

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

/** Of the UTF-8 of a consumer group's name: all brokers and clients can hold so much. */
const LONGEST_GROUP = 255;

/** What keeps a name from being one of a consumer group, of a key in the log, or of a segment of a URL's path. */
const nameFault = (name: string): string | undefined => {
  if (name.trim() === "") return "Connector name should not be empty";
  if (/\p{Cc}/u.test(name)) return "Connector name should not contain control characters";
  if (/\p{Cs}/u.test(name)) return "Connector name should be Unicode text (it has half of a surrogate pair)";
  if (name.includes("/")) return "Connector name should not contain a slash";
  if (name === "." || name === "..") return "Connector name should not be . or ..";
  const bytes = Buffer.byteLength(groupOf(name));
  return bytes > LONGEST_GROUP
    ? `Connector name is too long: its consumer group ${groupOf("<name>")} has ${bytes} bytes, and at most ${LONGEST_GROUP} are allowed`
    : undefined;
};

/** Throws CONNECTOR_CONFIG_INVALID. */
export const requireName = (name: string): void => {
  const message = nameFault(name);
  if (message !== undefined) throw new GatewayError("CONNECTOR_CONFIG_INVALID", { message });
};

/** A line for each fault of the connectors of the settings file; the start and `--check-config` print them. */
export const faultsOfDeclared = (
  declared: readonly { readonly name: string; readonly config: RawConfig }[],
  allowTargets: readonly string[],
): readonly string[] => {
  const targets = createTargets(allowTargets);
  return declared.flatMap(({ name, config }) => {
    const parsed = parseConnectorConfig(name, config, targets);
    const faults = "faults" in parsed ? parsed.faults.map(({ message }) => message) : [];
    const ofName = nameFault(name);
    return [...(ofName === undefined ? [] : [ofName]), ...faults].map(
      (message) => `connectors.${name}: ${message}`,
    );
  });
};

/** Throws CONNECTOR_CONFIG_INVALID with a line for each fault. */
export const requireValid = (name: string, config: RawConfig, targets: Targets): void => {
  const parsed = parseConnectorConfig(name, config, targets);
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

type DescribedKey = Omit<Key<unknown>, "parse">;

const definitionOf = ({ name, type, required, help, default: fallback }: DescribedKey, order: number) => ({
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

/** Every key that the class takes, as Connect describes it; undefined: an unknown class. */
export const definitionsOf = (connectorClass: string): readonly object[] | undefined =>
  isKnownClass(connectorClass)
    ? Object.values<Key<unknown>>(KEYS).map((key, index) => definitionOf(key, index + 1))
    : undefined;

const faultsOf = (faults: readonly ConfigFault[], { name, aliases }: DescribedKey): readonly string[] =>
  faults.filter(({ key }) => key === name || aliases.includes(key)).map(({ message }) => message);

/** A key that no class takes here, as far as it is described. */
const refusedKey = (name: string): DescribedKey => ({
  name,
  aliases: [],
  type: "STRING",
  required: false,
  help: "Not run here.",
  default: undefined,
});

/** Throws CONNECTOR_CONFIG_INVALID when the class is none that is known here. */
export const reportOf = (connectorClass: string, config: RawConfig, targets: Targets): ConfigReport => {
  if (!isKnownClass(connectorClass)) {
    throw new GatewayError("CONNECTOR_CONFIG_INVALID", {
      message: `Failed to find any class that implements Connector and which name matches ${connectorClass}, available connectors are: ${CONNECTOR_CLASS}`,
    });
  }
  const parsed = parseConnectorConfig(config[KEYS.name.name] ?? "", config, targets);
  const faults = "faults" in parsed ? parsed.faults : [];
  const shown = maskConfig(config);
  const known = Object.values<Key<unknown>>(KEYS);
  const names = new Set(known.flatMap(({ name, aliases }) => [name, ...aliases]));
  const refused = [...new Set(faults.map(({ key }) => key))].filter((key) => !names.has(key));
  const keys: readonly DescribedKey[] = [...known, ...refused.map(refusedKey)];
  return {
    name: connectorClass,
    error_count: faults.length,
    groups: [GROUP],
    configs: keys.map((key, index) => ({
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

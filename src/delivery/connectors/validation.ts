/**
 * Validates a connector's name and configuration. Reports the faults as one error, as lines for the start, or by key in
 * the form of Kafka Connect.
 */
import { GatewayError } from "../../errors.ts";
import type { ConfigFault, GatewayFacts } from "./config-reader.ts";
import { familyOf, parseConnectorConfig, unknownClass } from "./connector-config.ts";
import type { ParsedConfig } from "./family.ts";
import { COMMON_KEYS, type Key } from "./keys.ts";
import { maskConfig, type RawConfig } from "./masking.ts";
import { groupOf } from "./plan.ts";

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

/** Maximum length of a consumer group name in bytes of UTF-8, which all brokers and clients accept. */
const MAX_GROUP_BYTES = 255;

/** Why a name can't be part of a consumer group name, of a key in the log, or of a URL path. */
const nameFault = (name: string): string | undefined => {
  if (name.trim() === "") return "Connector name should not be empty";
  if (/\p{Cc}/u.test(name)) return "Connector name should not contain control characters";
  if (/\p{Cs}/u.test(name)) return "Connector name should be valid Unicode (it has half of a surrogate pair)";
  if (name.includes("/")) return "Connector name should not contain a slash";
  if (name === "." || name === "..") return "Connector name should not be . or ..";
  const bytes = Buffer.byteLength(groupOf(name));
  return bytes > MAX_GROUP_BYTES
    ? `Connector name is too long: its consumer group ${groupOf("<name>")} has ${bytes} bytes, and at most ${MAX_GROUP_BYTES} are allowed`
    : undefined;
};

/** Throws CONNECTOR_CONFIG_INVALID. */
export const requireName = (name: string): void => {
  const message = nameFault(name);
  if (message !== undefined) throw new GatewayError("CONNECTOR_CONFIG_INVALID", { message });
};

/** The faults with which a configuration is refused. A reference that can't be read here is read when the task starts. */
const refusing = (parsed: ParsedConfig): readonly ConfigFault[] =>
  "faults" in parsed ? parsed.faults.filter(({ isUnread }) => isUnread !== true) : [];

/** A line for each fault of the declared connectors. The gateway at its start, and `--check-config`, print these lines. */
export const faultsOfDeclared = (
  declared: readonly { readonly name: string; readonly config: RawConfig }[],
  facts: GatewayFacts,
): readonly string[] =>
  declared.flatMap(({ name, config }) => {
    const parsed = parseConnectorConfig(name, config, facts);
    const faults = refusing(parsed).map(({ message }) => message);
    const ofName = nameFault(name);
    return [...(ofName === undefined ? [] : [ofName]), ...faults].map(
      (message) => `connectors.${name}: ${message}`,
    );
  });

/** Throws CONNECTOR_CONFIG_INVALID with a line for each fault. */
export const requireValid = (name: string, config: RawConfig, facts: GatewayFacts): void => {
  const parsed = parseConnectorConfig(name, config, facts);
  const faults = refusing(parsed);
  if (faults.length === 0) return;
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

/** The keys of the class, as Kafka Connect describes them. undefined: the class is unknown. */
export const definitionsOf = (connectorClass: string): readonly object[] | undefined =>
  familyOf(connectorClass)?.keys.map((key, index) => definitionOf(key, index + 1));

const faultsOf = (faults: readonly ConfigFault[], { name, aliases }: DescribedKey): readonly string[] =>
  faults.filter(({ key }) => key === name || aliases.includes(key)).map(({ message }) => message);

/** The description of a key that is refused, for example `transforms`. */
const refusedKey = (name: string): DescribedKey => ({
  name,
  aliases: [],
  type: "STRING",
  required: false,
  help: "Not supported.",
  default: undefined,
  choices: undefined,
});

/** Throws CONNECTOR_CONFIG_INVALID if the class is unknown. */
export const reportOf = (connectorClass: string, config: RawConfig, facts: GatewayFacts): ConfigReport => {
  const family = familyOf(connectorClass, config);
  if (family === undefined)
    throw new GatewayError("CONNECTOR_CONFIG_INVALID", { message: unknownClass(connectorClass) });
  const name = config[COMMON_KEYS.name.name];
  const className = COMMON_KEYS.connectorClass.name;
  const parsed = parseConnectorConfig(name ?? "", { ...config, [className]: connectorClass }, facts);
  const ofName = name === undefined ? undefined : nameFault(name);
  const faults = [
    ...(ofName === undefined ? [] : [{ key: COMMON_KEYS.name.name, message: ofName }]),
    ...refusing(parsed),
  ];
  const shown = maskConfig(config);
  const known = family.keys;
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
        recommended_values: key.choices ?? [],
        errors: faultsOf(faults, key),
        visible: true,
      },
    })),
  };
};

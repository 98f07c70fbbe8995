/** Parses a connector's configuration by the keys of the family that its class belongs to. */
import { cut } from "../../lib/text.ts";
import { AIVEN } from "./aiven/aiven.ts";
import { AUCKLAND } from "./auckland/auckland.ts";
import { CLOUD_NAME, CONFLUENT, CONFLUENT_CLOUD, CONFLUENT_URL_KEY } from "./confluent/confluent.ts";
import { V2 } from "./confluent/v2.ts";
import type { ConfigFault, GatewayFacts } from "./config-reader.ts";
import type { Family, ParsedConfig } from "./family.ts";
import { COMMON_KEYS } from "./keys.ts";
import { maskConfig, type RawConfig } from "./masking.ts";
import { hasReferences } from "./reference-text.ts";

const FAMILIES: readonly Family[] = [AUCKLAND, AIVEN, CONFLUENT, V2];

/** The full name of each class. */
export const CONNECTOR_CLASSES = FAMILIES.map(({ classes: [name] }) => name);

/** undefined: the class is unknown. The name `HttpSink` belongs to two families, and only the keys say to which. */
export const familyOf = (connectorClass: string | undefined, config: RawConfig = {}): Family | undefined => {
  if (connectorClass === undefined) return AUCKLAND;
  if (connectorClass === CLOUD_NAME && CONFLUENT_URL_KEY in config) return CONFLUENT_CLOUD;
  return FAMILIES.find(({ classes }) => classes.includes(connectorClass));
};

/** The full name of the configuration's class. */
export const classOf = (config: RawConfig): string =>
  (familyOf(config[COMMON_KEYS.connectorClass.name], config) ?? AUCKLAND).classes[0];

export const unknownClass = (connectorClass: string): string =>
  `Failed to find any class that implements Connector and which name matches ${cut(connectorClass)}, available connectors are: ${CONNECTOR_CLASSES.join(", ")}`;

/** A fault without the values that references stand for. */
const withoutValues = (
  fault: ConfigFault,
  config: RawConfig,
  values: ReadonlyMap<string, string>,
): ConfigFault => {
  const { key, message } = fault;
  const written = maskConfig(config)[key] ?? "";
  if (hasReferences(config[key] ?? ""))
    return {
      key,
      message: `Invalid value ${written} for configuration ${key}: the referenced value is not valid`,
    };
  return {
    key,
    message: [...values].reduce((text, [reference, value]) => hideValue(text, value, reference), message),
  };
};

/** A shorter value says nothing, and would be found inside of words. */
const MIN_HIDDEN = 4;

const hideValue = (text: string, value: string, reference: string): string =>
  value.length < MIN_HIDDEN ? text : text.replaceAll(value, () => reference);

/** The faults of a configuration with references that aren't allowed. What the references stand for is not checked. */
const withRefusals = (
  refusals: readonly ConfigFault[],
  config: RawConfig,
  parsed: ParsedConfig,
): ParsedConfig => {
  const others = "faults" in parsed ? parsed.faults : [];
  return { faults: [...refusals, ...others.filter(({ key }) => !hasReferences(config[key] ?? ""))] };
};

const parseWith = (family: Family, name: string, config: RawConfig, facts: GatewayFacts): ParsedConfig => {
  const { references } = facts;
  if (references === undefined || !Object.values(config).some(hasReferences))
    return family.parse(name, config, facts);
  const refusals = references.refusals(config);
  if (refusals.length > 0) return withRefusals(refusals, config, family.parse(name, config, facts));
  const resolved = references.resolve(config);
  if ("faults" in resolved) return resolved;
  const parsed = family.parse(name, resolved.config, facts);
  if ("model" in parsed) return parsed;
  return { faults: parsed.faults.map((fault) => withoutValues(fault, config, resolved.values)) };
};

/**
 * Reads the references, and returns the model, or all faults of the configuration. If a reference can't be read, the other keys aren't
 * checked. An unknown class is the only fault, because its keys are unknown too.
 */
export const parseConnectorConfig = (
  name: string,
  config: RawConfig,
  facts: GatewayFacts = {},
): ParsedConfig => {
  const wanted = config[COMMON_KEYS.connectorClass.name];
  const family = familyOf(wanted, config);
  if (family !== undefined) return parseWith(family, name, config, facts);
  return { faults: [{ key: COMMON_KEYS.connectorClass.name, message: unknownClass(wanted ?? "") }] };
};

/** Keys whose value is the topic of dead letters. */
const LETTER_KEYS = ["dead.letter.topic", "errors.deadletterqueue.topic.name"];

/** False if there is no topic. */
export const writesLettersTo = (config: RawConfig, topic: string | undefined): boolean =>
  topic !== undefined && LETTER_KEYS.some((key) => config[key] === topic);

/** False if the connector runs in the same way with and without a schema registry. */
export const needsRegistry = (config: RawConfig): boolean =>
  "decode" in config || "value.converter" in config;

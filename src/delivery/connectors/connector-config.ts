/** Parses a connector's configuration by the keys of the family that its class belongs to. */
import { cut } from "../../lib/text.ts";
import { AIVEN } from "./aiven/aiven.ts";
import { AUCKLAND } from "./auckland/auckland.ts";
import type { GatewayFacts } from "./config-reader.ts";
import type { Family, ParsedConfig } from "./family.ts";
import { COMMON_KEYS } from "./keys.ts";
import type { RawConfig } from "./masking.ts";

const FAMILIES: readonly Family[] = [AUCKLAND, AIVEN];

/** The full name of each class. */
export const CONNECTOR_CLASSES = FAMILIES.map(({ classes: [name] }) => name);

/** undefined: the class is unknown. */
export const familyOf = (connectorClass: string | undefined): Family | undefined =>
  connectorClass === undefined ? AUCKLAND : FAMILIES.find(({ classes }) => classes.includes(connectorClass));

/** The full name of the configuration's class. */
export const classOf = (config: RawConfig): string =>
  (familyOf(config[COMMON_KEYS.connectorClass.name]) ?? AUCKLAND).classes[0];

export const unknownClass = (connectorClass: string): string =>
  `Failed to find any class that implements Connector and which name matches ${cut(connectorClass)}, available connectors are: ${CONNECTOR_CLASSES.join(", ")}`;

/** Returns the model, or all faults of the configuration. An unknown class is the only fault, because its keys are unknown too. */
export const parseConnectorConfig = (
  name: string,
  config: RawConfig,
  facts: GatewayFacts = {},
): ParsedConfig => {
  const wanted = config[COMMON_KEYS.connectorClass.name];
  const family = familyOf(wanted);
  if (family !== undefined) return family.parse(name, config, facts);
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

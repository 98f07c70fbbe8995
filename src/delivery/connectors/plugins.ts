/** The classes of Kafka Connect that the gateway runs. */
import type { GatewayFacts } from "./config-reader.ts";
import { CONNECTOR_CLASSES } from "./connector-config.ts";
import { PREDICATE_CLASSES, TRANSFORMATION_CLASSES } from "./transformations.ts";
import { converterClasses } from "./value-converter.ts";

export interface Plugin {
  readonly class: string;
  readonly type: "sink" | "transformation" | "predicate" | "converter" | "header_converter";
}

/** Headers are sent as the text that they contain. */
const HEADER_CONVERTERS = ["org.apache.kafka.connect.storage.StringConverter"];

export const connectorPlugins = (): readonly Plugin[] => pluginsOf("sink", CONNECTOR_CLASSES);

/** Without a schema registry the converters that need one are left out. */
export const allPlugins = ({ hasRegistry = false }: Pick<GatewayFacts, "hasRegistry">): readonly Plugin[] => [
  ...connectorPlugins(),
  ...pluginsOf("transformation", TRANSFORMATION_CLASSES),
  ...pluginsOf("predicate", PREDICATE_CLASSES),
  ...pluginsOf("converter", converterClasses(hasRegistry)),
  ...pluginsOf("header_converter", HEADER_CONVERTERS),
];

const pluginsOf = (type: Plugin["type"], classes: readonly string[]): readonly Plugin[] =>
  classes.map((name) => ({ class: name, type }));

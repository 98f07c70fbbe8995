/** Kafka Connect's `value.converter`: which conversion a converter class means. */
import { cut } from "../../lib/text.ts";
import type { Reader } from "./config-reader.ts";
import { CONVERTER_KEYS } from "./connect-keys.ts";
import type { Conversion } from "./conversions.ts";
import type { DecodeFailure } from "./decoding.ts";

type Kind = "bytes" | "json" | "registry";

const CONVERTERS: ReadonlyMap<string, Kind> = new Map([
  ["org.apache.kafka.connect.storage.StringConverter", "bytes"],
  ["org.apache.kafka.connect.converters.ByteArrayConverter", "bytes"],
  ["org.apache.kafka.connect.json.JsonConverter", "json"],
  ["io.confluent.connect.avro.AvroConverter", "registry"],
  ["io.confluent.connect.protobuf.ProtobufConverter", "registry"],
  ["io.confluent.connect.json.JsonSchemaConverter", "registry"],
]);

/** The full names of the converters that run with or without a schema registry. */
export const converterClasses = (hasRegistry: boolean): readonly string[] =>
  [...CONVERTERS].filter(([, kind]) => hasRegistry || kind !== "registry").map(([name]) => name);

/** As in Kafka Connect, the package can be left out. */
const kindOf = (name: string): Kind | undefined =>
  [...CONVERTERS].find(([full]) => full === name || full.endsWith(`.${name}`))?.[1];

/** `decodeFailure`: what happens to a value that doesn't convert. */
export const readConversion = (
  { read, invalid }: Reader,
  hasRegistry: boolean | undefined,
  decodeFailure: DecodeFailure,
): Conversion => {
  const name = read(CONVERTER_KEYS.converter);
  const withSchemas = read(CONVERTER_KEYS.schemasEnable) ?? true;
  const kind = name === undefined || name === "" ? "bytes" : kindOf(name);
  if (kind === undefined)
    invalid(CONVERTER_KEYS.converter.name, `Class ${cut(name ?? "")} could not be found.`);
  if (kind === "registry" && hasRegistry === false)
    invalid(CONVERTER_KEYS.converter.name, "needs a schema registry, which is not configured");
  if (kind === "json") return { kind: "json", withSchemas, decodeFailure };
  return kind === "registry" ? { kind: "registry", decode: "json", decodeFailure } : { kind: "none" };
};

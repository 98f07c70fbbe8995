/** The parameter `decode` of the calls that read records: how values are decoded by the schema registry. */
import { z } from "zod";
import type { StreamDecoding } from "../consume/stream/decoding.ts";
import { GatewayError } from "../errors.ts";
import type { Station } from "../ingest/stations.ts";
import { type Decoder, type Decoding, DECODINGS } from "../registry/decoder.ts";
import { invalidParameter } from "./event-stream.ts";

/** For the OpenAPI documents. */
export const decodeParameter = {
  description:
    "How the gateway decodes values that have a schema in the registry: `json`, `avro-json` (Avro's own JSON encoding), or `none`. Default: `json` on a station whose schema is of type `registry`, otherwise `none`.",
  schema: z.enum(DECODINGS),
};

const isDecoding = (text: string): text is Decoding => (DECODINGS as readonly string[]).includes(text);

/** Without the parameter, values of registry stations are decoded. Throws REQUEST_INVALID or REGISTRY_MISSING. */
export const decodingOf = (
  given: string | null | undefined,
  station: Partial<Pick<Station, "validator">>,
  hasRegistry: boolean,
): Decoding => {
  if (given === null || given === undefined) return station.validator?.kind === "registry" ? "json" : "none";
  if (!isDecoding(given)) throw invalidParameter("decode", "none, json or avro-json", given);
  if (given === "none" || hasRegistry) return given;
  throw new GatewayError("REGISTRY_MISSING", {
    message: `decode=${given} needs a schema registry, and none is configured`,
  });
};

/** undefined: the stream sends values as they are stored. */
export const streamDecoding = (decoder: Decoder | undefined, decode: Decoding): StreamDecoding | undefined =>
  decoder === undefined || decode === "none" ? undefined : { decoder, form: decode };

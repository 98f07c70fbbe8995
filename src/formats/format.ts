/** The interface of the three schema formats of a registry: Avro, JSON Schema and Protobuf. */

/** The formats, as the REST Proxy API names them. */
export type SchemaType = "AVRO" | "JSONSCHEMA" | "PROTOBUF";

/** A schema's text, and the texts that it refers to. */
export interface SchemaSource {
  readonly type: SchemaType;
  readonly text: string;
  /** Each reference once, after the references that it needs itself. */
  readonly references: readonly { readonly name: string; readonly text: string }[];
}

/**
 * How a decoded Avro value is written. `json`: unions without branch names, and decimals as numbers. `avro-json`: Avro's JSON
 * encoding.
 */
export type JsonForm = "json" | "avro-json";

export interface FormatLimits {
  /** Maximum nesting of an event and of a decoded payload. */
  readonly maxDepth: number;
  /** Maximum number of values of an event. */
  readonly maxValues?: number;
  /** Maximum number of members of all objects of an event. */
  readonly maxMembers?: number;
  /**
   * Maximum bytes of a payload, encoded or decoded. The JSON of an Avro payload has at most 8 times as many: a symbol of
   * an enum or a field's name takes one byte or none in the payload.
   */
  readonly maxBytes: number;
  /** What happens to members that an Avro schema lacks. */
  readonly unknownFields: "refuse" | "drop";
}

/** Maximum number of values of a payload that is decoded. An array of a billion nulls can be a payload of a few bytes. */
export const MAX_DECODED_VALUES = 1_000_000;

/** Encodes and decodes the payloads of one schema. Its calls never wait, and it keeps no state between them. */
export interface CompiledSchema {
  readonly type: SchemaType;
  /** Avro's full name, the full name of Protobuf's first message, or JSON Schema's title. undefined: it has none. */
  readonly name: string | undefined;
  /**
   * Encodes an event that is JSON, unchecked. Returns the value in the wire format: byte 0, `id` in four bytes, and the payload. The
   * buffer is the caller's. `message`: full name of a Protobuf message; default: the first one of the file. Throws
   * DataRefused; JSON_TOO_DEEP or JSON_INVALID if the bytes are no JSON within the limits.
   */
  encode(json: Buffer, id: number, message?: string): Buffer;
  /** Decodes a payload to JSON. The payload of Protobuf begins with the index path. Throws Undecodable. */
  decode(payload: Buffer, form: JsonForm): Buffer;
  /** Protobuf only: checks a binary message, and returns it in the wire format. Throws DataRefused. */
  frame?(message: Buffer, id: number, name?: string): Buffer;
  /** Protobuf only: true if the file declares this message. */
  declares?(message: string): boolean;
}

/** Compiles a schema. Throws SchemaUnusable, also for a schema that is too deep. */
export type CompileSchema = (source: SchemaSource, limits: FormatLimits) => CompiledSchema;

/**
 * The event does not fit the schema. The message names the format, the JSON pointer and the reason, for example
 * `avro: '/lines/0/price': expected double, but got string`.
 */
export class DataRefused extends Error {
  override readonly name = "DataRefused";
  /** The message as a station words it. Only the text of JSON Schema contains the name of the station. */
  readonly inStation: (station: string) => string;

  constructor(message: string, inStation: (station: string) => string = () => message) {
    const { stackTraceLimit } = Error;
    // As in GatewayError: one call can have 100,000 refused events.
    Error.stackTraceLimit = 0;
    super(message);
    Error.stackTraceLimit = stackTraceLimit;
    this.inStation = inStation;
  }
}

/** The bytes are no payload of the schema. The message says why, in one line. */
export class Undecodable extends Error {
  override readonly name = "Undecodable";
}

/** The schema's text does not parse, or can't be used here. The message says why, in one line. */
export class SchemaUnusable extends Error {
  override readonly name = "SchemaUnusable";
}

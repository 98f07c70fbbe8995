/** The interface of all kinds of schemas, and their declarations in the settings. */
import { types } from "node:util";
import { GatewayError } from "../../errors.ts";
import { type ContentLimits, parseJson } from "../../formats/json.ts";

export interface Accepted {
  readonly status: "accepted";
  /** The bytes to store: the bytes of the event, or their protobuf encoding if the event was JSON at a protobuf station. */
  readonly value: Buffer;
  /** Content type of `value`. */
  readonly contentType: string | undefined;
}

export interface Refused {
  readonly status: "refused";
  /** SCHEMA_REFUSED with the text of the Memphis API, or JSON_TOO_DEEP. */
  readonly error: GatewayError;
}

/** The kinds of schemas, with their names in the settings and in the operators' API. */
export const SCHEMA_KINDS = ["json-schema", "zod", "protobuf", "registry"] as const;

export interface EventValidator {
  readonly kind: (typeof SCHEMA_KINDS)[number];
  /** Never throws. The bytes are not checked yet. */
  validate(value: Buffer, contentType: string | undefined): Accepted | Refused;
  /** Converts an accepted event to JSON, for record keys and the console. Absent: accepted events are JSON. Throws on invalid bytes. */
  asJson?(value: Buffer): Buffer;
}

/** The refusal in the words of the Memphis API. `reason` is the text of the kind of schema. */
export const schemaRefused = (reason: string, cause?: unknown): Refused => ({
  status: "refused",
  error: new GatewayError("SCHEMA_REFUSED", { message: `Schema validation has failed: ${reason}`, cause }),
});

interface EventJson {
  readonly status: "parsed";
  readonly json: unknown;
}

/** Parses an event for a JSON schema, whatever its content type is. A refusal has the parser's reason. */
export const eventJson = (value: Buffer, limits: ContentLimits): EventJson | Refused => {
  try {
    return { status: "parsed", json: parseJson(value, limits) };
  } catch (error) {
    if (error instanceof GatewayError && error.code === "JSON_TOO_DEEP") return { status: "refused", error };
    return schemaRefused(`Bad JSON format - ${reasonOf(error)}`, error);
  }
};

const reasonOf = (error: unknown): string => {
  const cause = error instanceof Error ? error.cause : undefined;
  return cause instanceof Error ? cause.message : "not JSON";
};

/** A station's schema in the settings. Paths are absolute, or relative to the working directory. */
export interface JsonSchemaDeclaration {
  readonly type: "json-schema";
  readonly file: string;
}

export interface ZodDeclaration {
  readonly type: "zod";
  readonly module: string;
  readonly export: string;
}

export interface ProtobufDeclaration {
  readonly type: "protobuf";
  readonly file: string;
  readonly message: string;
}

export type SchemaDeclaration = JsonSchemaDeclaration | ZodDeclaration | ProtobufDeclaration;

export interface ValidatorContext {
  /** The station's name, for error texts. */
  readonly station: string;
  readonly limits: ContentLimits;
}

/** SETTINGS_INVALID for an unusable schema. The text names the station, the file and the fault. */
export const schemaUnusable = ({ station }: ValidatorContext, file: string, cause: unknown): GatewayError => {
  const reason = types.isNativeError(cause) ? cause.message : String(cause);
  return new GatewayError("SETTINGS_INVALID", {
    message: `Station ${station}: the schema ${file} can't be used: ${reason}`,
    cause,
  });
};

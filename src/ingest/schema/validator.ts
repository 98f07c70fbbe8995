/** What every kind of schema offers: judging one event's bytes. */
import { types } from "node:util";
import { GatewayError } from "../../errors.ts";
import { type ContentLimits, parseJson } from "../content/json.ts";

export interface Accepted {
  readonly status: "accepted";
  /** The bytes to store: those that came, unless the schema asks for another encoding (JSON to protobuf). */
  readonly value: Buffer;
  /** Content type of `value`. */
  readonly contentType: string | undefined;
}

export interface Refused {
  readonly status: "refused";
  /** SCHEMA_REFUSED with the exact text that the Memphis API promises. */
  readonly error: GatewayError;
}

/** The kinds of schemas, by the names that the settings and the operators' API use. */
export const SCHEMA_KINDS = ["json-schema", "zod", "protobuf"] as const;

export interface EventValidator {
  readonly kind: (typeof SCHEMA_KINDS)[number];
  /** Settles whatever the bytes are; never throws. */
  validate(value: Buffer, contentType: string | undefined): Accepted | Refused;
  /** An accepted event as JSON text, for what points into it; absent where its bytes are JSON already. */
  asJson?(value: Buffer): Buffer;
}

/** Memphis' words for a refused event; `reason` is what this kind of schema has to say. */
export const schemaRefused = (reason: string, cause?: unknown): Refused => ({
  status: "refused",
  error: new GatewayError("SCHEMA_REFUSED", { message: `Schema validation has failed: ${reason}`, cause }),
});

/** An event as JSON, for the schemas that judge JSON: its content type doesn't matter. */

interface EventJson {
  readonly status: "parsed";
  readonly json: unknown;
}

/** The parsed event, or its refusal with the parser's reason. */
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

// A station's schema in the settings, and the error for a faulty one.

/** Paths are absolute, or relative to the working directory. */
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
  /** The station's name, as error texts give it. */
  readonly station: string;
  readonly limits: ContentLimits;
}

/** SETTINGS_INVALID for a schema that cannot be used: which station, which file, and what is wrong. */
export const schemaUnusable = ({ station }: ValidatorContext, file: string, cause: unknown): GatewayError => {
  const reason = types.isNativeError(cause) ? cause.message : String(cause);
  return new GatewayError("SETTINGS_INVALID", {
    message: `Station ${station}: the schema ${file} can't be used: ${reason}`,
    cause,
  });
};

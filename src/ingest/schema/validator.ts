/** The interface of all kinds of schemas, and their declarations in the settings. */
import { types } from "node:util";
import { GatewayError } from "../../errors.ts";
import { type ContentLimits, parseJson } from "../../formats/json.ts";
import type { RegisteredSchema, SchemaRegistry } from "../../registry/contract.ts";

export interface Accepted {
  readonly status: "accepted";
  /** The bytes to store: the bytes of the event, or their encoding by the schema. */
  readonly value: Buffer;
  /** Content type of `value`. */
  readonly contentType: string | undefined;
  /** The event as JSON, if `value` isn't JSON and the validator has no `asJson`. The station's pointers point into it. */
  readonly json?: Buffer;
}

export interface Refused {
  readonly status: "refused";
  /** SCHEMA_REFUSED with the text of the Memphis API, or JSON_TOO_DEEP. */
  readonly error: GatewayError;
}

/** The kinds of schemas, with their names in the settings and in the operators' API. */
export const SCHEMA_KINDS = ["json-schema", "zod", "protobuf", "registry"] as const;

/** A schema from a file. It validates synchronously. */
export interface FileValidator {
  readonly kind: Exclude<(typeof SCHEMA_KINDS)[number], "registry">;
  /** Never throws. The bytes are not checked yet. */
  validate(value: Buffer, contentType: string | undefined): Accepted | Refused;
  /** Converts an accepted event to JSON, for record keys and the console. Absent: accepted events are JSON. Throws on invalid bytes. */
  asJson?(value: Buffer): Buffer;
}

/**
 * A schema of the registry. It has no `validate`: `RecordSchemas` validates the events, because it may have to ask the registry
 * first.
 */
export interface RegistryValidator {
  readonly kind: "registry";
  /** Every schema of the station's values belongs to this subject. */
  readonly subject: string;
  /** Full name of the Protobuf message. undefined: the first one of the schema. */
  readonly message: string | undefined;
  /** True if a pointer of the station (`key`, `once.id`) points into its events. Only then must an event be decoded. */
  readonly hasPointer: boolean;
  /**
   * The schema of the station's events, or REGISTRY_UNAVAILABLE. A wrong subject or schema, which an operator must correct, is
   * REGISTRY_UNAVAILABLE too. Returns a promise if the registry must be asked. Never throws or rejects.
   */
  current(): FoundSchema | Promise<FoundSchema>;
  readonly asJson?: undefined;
}

/** A schema, or the error of a schema that was not found. */
export type FoundSchema = RegisteredSchema | GatewayError;

export type EventValidator = FileValidator | RegistryValidator;

/**
 * The refusal in the words of the Memphis API. `reason` is the fault in the words of this kind of schema, for example `avro:
 * '/total': expected double, but got string`.
 */
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
    return jsonRefused(error);
  }
};

/** The refusal of an event that is no JSON, for an error of `parseJson`. */
export const jsonRefused = (error: unknown): Refused => {
  if (error instanceof GatewayError && error.code === "JSON_TOO_DEEP") return { status: "refused", error };
  return schemaRefused(`Bad JSON format - ${reasonOf(error)}`, error);
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

export interface RegistryDeclaration {
  readonly type: "registry";
  readonly subject?: string | undefined;
  readonly format?: "avro" | "json" | "protobuf" | undefined;
  readonly version: number | "latest";
  readonly message?: string | undefined;
  readonly file?: string | undefined;
  readonly autoRegister: boolean;
}

export type SchemaDeclaration =
  JsonSchemaDeclaration | ZodDeclaration | ProtobufDeclaration | RegistryDeclaration;

export interface ValidatorContext {
  /** The station's name, for error texts. */
  readonly station: string;
  readonly limits: ContentLimits;
}

/** The context of a schema of the registry. Such a schema needs more than a schema from a file. */
export interface RegistryContext extends ValidatorContext {
  readonly topic: string;
  readonly hasPointer: boolean;
  /** undefined: the settings are only checked, and no event is validated. */
  readonly registry: Pick<SchemaRegistry, "find"> | undefined;
  /** Called when the station's schema can no longer be used. It is not called again until the schema has become usable and then unusable again. */
  readonly onFault?: (fault: StationFault) => void;
}

export interface StationFault {
  readonly station: string;
  readonly subject: string;
  readonly reason: string;
}

/** SETTINGS_INVALID for an unusable schema. The text names the station, the file and the fault. */
export const schemaUnusable = ({ station }: ValidatorContext, file: string, cause: unknown): GatewayError => {
  const reason = types.isNativeError(cause) ? cause.message : String(cause);
  return new GatewayError("SETTINGS_INVALID", {
    message: `Station ${station}: the schema ${file} can't be used: ${reason}`,
    cause,
  });
};

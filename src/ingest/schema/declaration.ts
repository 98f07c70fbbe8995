/** What the settings say of a station's schema, and how a fault in it is told. */
import { types } from "node:util";
import { GatewayError } from "../../errors.ts";
import type { ContentLimits } from "../content/content-type.ts";

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

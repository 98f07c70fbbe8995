/** An event as JSON, for the schemas that judge JSON: its content type doesn't matter. */
import { GatewayError } from "../../errors.ts";
import type { ContentLimits } from "../content/content-type.ts";
import { parseJson } from "../content/json.ts";
import { type Refused, schemaRefused } from "./validator.ts";

export interface EventJson {
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

/** What is wrong with a body, in one sentence. */
import type { z } from "zod";
import { GatewayError } from "../../../errors.ts";
import { mediaTypeOf } from "../../../ingest/content/content-type.ts";
import type { AuthorisedCall } from "../../call.ts";

export const JSON_TYPE = "application/json";

/** Throws CONTENT_TYPE_UNSUPPORTED. */
export const requireJson = ({ request }: AuthorisedCall): void => {
  if (mediaTypeOf(request.headers["content-type"] ?? "") !== JSON_TYPE)
    throw new GatewayError("CONTENT_TYPE_UNSUPPORTED");
};

/** The first fault: a field that isn't known by its name, anything else by its place. `at`: where the value lies. */
export const faultOf = ({ issues: [issue] }: z.ZodError, at: readonly PropertyKey[] = []): string => {
  if (issue === undefined) return "malformed";
  const path = [...at, ...issue.path].map(String).join(".");
  if (issue.code === "unrecognized_keys")
    return `Unrecognized field: ${[path, issue.keys[0]].filter(Boolean).join(".")}`;
  return path === "" ? issue.message : `${path}: ${issue.message}`;
};

export const isUnknownField = ({ issues }: z.ZodError): boolean =>
  issues.some(({ code }) => code === "unrecognized_keys");

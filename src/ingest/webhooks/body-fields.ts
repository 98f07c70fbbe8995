import { followPointer, valueAt } from "../../lib/json-members.ts";
import { isJson } from "../content/json.ts";
import type { WebhookRequest } from "./webhook.ts";

/** A text, number or word in JSON that is longer is no field that a sender's rules speak of. */
const MAX_FIELD = 64 * 1024;

const SIMPLE = /^[^[{]/;

/**
 * The text, number or word under these names in a JSON body, undefined where the body isn't JSON or has no such place.
 * Nothing else of the body is built: it is a stranger's.
 */
export const bodyField = ({ body }: WebhookRequest, ...path: readonly string[]): unknown => {
  if (!isJson(body)) return undefined;
  const at = followPointer(pointerTo(path))(body);
  if (at < 0) return undefined;
  const value = valueAt(body, at);
  if (value.length > MAX_FIELD) return undefined;
  const text = value.toString();
  return SIMPLE.test(text) ? (JSON.parse(text) as unknown) : undefined;
};

const pointerTo = (path: readonly string[]): string =>
  path.map((name) => `/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`).join("");

/** The same for an id: a text that isn't empty, or a number. */
export const bodyId = (request: WebhookRequest, ...path: readonly string[]): string | undefined => {
  const value = bodyField(request, ...path);
  if (typeof value === "number") return String(value);
  return typeof value === "string" && value !== "" ? value : undefined;
};

/** CloudEvents in binary mode: attributes are headers, the data are the body (CloudEvents HTTP binding 1.0). */
import type { RecordHeader } from "../../broker/broker.ts";
import { checkAttributes } from "./attributes.ts";

const PREFIX = "ce_";

/** Without any of these, `ce-*` headers are headers like others. */
const MARKS = new Set(["ce_specversion", "ce_id", "ce_source", "ce_type"]);

/**
 * Checks the attributes among the record headers of a request (`recordHeadersOf` has decoded them), where it carries a
 * CloudEvent at all, and returns whether it does. Throws CLOUDEVENT_INVALID.
 */
export const checkBinaryEvent = (headers: readonly RecordHeader[]): boolean => {
  if (!headers.some(({ name }) => MARKS.has(name))) return false;
  const attributes = headers
    .filter(({ name }) => name.startsWith(PREFIX))
    .map(({ name, value }) => [name.slice(PREFIX.length), value?.toString() ?? null] as const);
  checkAttributes(new Map(attributes));
  return true;
};

/** JSON as RFC 8259 has it between systems: UTF-8 without a byte order mark, nested no deeper than we allow. */
import { isUtf8 } from "node:buffer";
import { GatewayError } from "../../errors.ts";
import { createJsonChecker } from "../../lib/json-check.ts";
import { afterSpace } from "../../lib/json-list.ts";
import { isDeeperThan } from "../../lib/json-scan.ts";
import type { ContentLimits, ContentType } from "./content-type.ts";

/**
 * Parses one JSON text. Throws JSON_TOO_DEEP, or JSON_INVALID whose cause says why: the parser's words, or that the
 * bytes are not UTF-8.
 */
export const parseJson = (body: Buffer, { maxDepth }: ContentLimits): unknown => {
  if (!isUtf8(body)) throw notUtf8();
  if (isDeeperThan(body, maxDepth)) throw new GatewayError("JSON_TOO_DEEP");
  try {
    return JSON.parse(body.toString()) as unknown;
  } catch (cause) {
    throw new GatewayError("JSON_INVALID", { cause });
  }
};

/** The same without building anything. */
export const checkJson = (body: Buffer, { maxDepth }: ContentLimits): void => {
  if (!isUtf8(body)) throw notUtf8();
  const checker = createJsonChecker();
  const end = checker.read(body, 0);
  checker.end();
  if (checker.deepest > maxDepth) throw new GatewayError("JSON_TOO_DEEP");
  if (checker.state !== "complete" || afterSpace(body, end) < body.length) {
    throw new GatewayError("JSON_INVALID");
  }
};

const notUtf8 = (): GatewayError =>
  new GatewayError("JSON_INVALID", { cause: new TypeError("not valid UTF-8") });

export const json: ContentType = {
  name: "json",
  matches: (mediaType) => mediaType === "application/json",
  check: checkJson,
};

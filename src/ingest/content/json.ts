/** JSON as RFC 8259 has it between systems: UTF-8 without a byte order mark, nested no deeper than we allow. */
import { isUtf8 } from "node:buffer";
import { GatewayError } from "../../errors.ts";
import { createJsonChecker } from "../../lib/json-check.ts";
import { afterSpace } from "../../lib/json-list.ts";
import { excessOf } from "../../lib/json-scan.ts";
import type { ContentLimits, ContentType } from "./content-type.ts";

/** Parsing this many values takes 0.1 s; building and validating this many members takes 0.2 s. */
const DEFAULTS = { maxValues: 500_000, maxMembers: 100_000 };

/**
 * Parses one JSON text. Throws JSON_TOO_DEEP, or JSON_INVALID whose cause says why: the parser's words, or that the
 * bytes are not UTF-8, or that there are too many values.
 */
export const parseJson = (body: Buffer, limits: ContentLimits): unknown => {
  const { maxDepth, maxValues, maxMembers } = { ...DEFAULTS, ...limits };
  if (!isUtf8(body)) throw notUtf8();
  const excess = excessOf(body, { depth: maxDepth, values: maxValues, members: maxMembers });
  if (excess === "depth") throw new GatewayError("JSON_TOO_DEEP");
  if (excess === "values") throw tooMany("values", maxValues);
  if (excess === "members") throw tooMany("members", maxMembers);
  try {
    return JSON.parse(body.toString()) as unknown;
  } catch (cause) {
    throw new GatewayError("JSON_INVALID", { cause });
  }
};

/** One for all texts, whose checks never overlap: a checker for each event takes 1.1 µs of its 80. */
const checker = createJsonChecker();

/** Is it one JSON text? `checker` then knows how deep it is. */
const isWhole = (body: Buffer): boolean => {
  checker.reset();
  const end = checker.read(body, 0);
  checker.end();
  return checker.state === "complete" && afterSpace(body, end) === body.length;
};

/** The same without building anything. */
export const checkJson = (body: Buffer, { maxDepth }: ContentLimits): void => {
  if (!isUtf8(body)) throw notUtf8();
  const whole = isWhole(body);
  if (checker.deepest > maxDepth) throw new GatewayError("JSON_TOO_DEEP");
  if (!whole) throw new GatewayError("JSON_INVALID");
};

const DOCUMENT = { depth: 100, values: 100_000, members: 100_000 };

/**
 * For a body that is no event but a request's fields: those have fewer values, and fewer levels. Throws JSON_INVALID and
 * JSON_TOO_DEEP for more of them; for what is no JSON in UTF-8 as JSON.parse does.
 */
export const parseDocument = (body: Buffer): unknown => {
  if (!isUtf8(body)) throw new SyntaxError("not valid UTF-8");
  const excess = excessOf(body, DOCUMENT);
  if (excess === "depth") throw new GatewayError("JSON_TOO_DEEP");
  if (excess !== undefined) throw tooMany(excess, DOCUMENT[excess]);
  return JSON.parse(body.toString()) as unknown;
};

/** Is it one JSON text? Answered without building anything. */
export const isJson = (body: Buffer): boolean => isWhole(body);

const tooMany = (what: "values" | "members", most: number): GatewayError => {
  const message = `JSON has more than ${most} ${what}. Send them in several requests.`;
  return new GatewayError("JSON_INVALID", { message, cause: new RangeError(`more than ${most} ${what}`) });
};

const notUtf8 = (): GatewayError =>
  new GatewayError("JSON_INVALID", { cause: new TypeError("not valid UTF-8") });

export const json: ContentType = {
  name: "json",
  matches: (mediaType) => mediaType === "application/json",
  check: checkJson,
};

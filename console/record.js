/** Shows one record as a line. A click on the line shows the whole record. */
import { el, facts } from "./dom.js";
import { bytes, clockTime, isoTime } from "./format.js";

/**
 * @typedef {object} Bytes
 * @property {"utf-8" | "base64"} encoding
 * @property {string} text
 * @property {number} bytes
 * @property {boolean} truncated
 * @property {"avro" | "jsonschema" | "protobuf"} [decoded]
 * @property {number | string} [schemaId]
 * @property {string} [decodeError]
 */

/**
 * @typedef {object} Shown
 * @property {number} partition
 * @property {string} offset
 * @property {number} timestamp
 * @property {Bytes | null} key
 * @property {Bytes | null} value
 * @property {readonly { name: string, value: Bytes | null }[]} headers
 */

const PREVIEW = 160;

/** JSON that is nested deeper is shown unchanged: its indentation would grow with the square of the depth. */
const DEEPEST = 200;

/** @param {Bytes | null} value */
const preview = (value) => {
  if (value === null) return "(tombstone)";
  const text = value.text.slice(0, PREVIEW).replace(/\s+/g, " ");
  return value.encoding === "base64" ? `base64 ${text}` : text;
};

/**
 * Keeps the digits of numbers: JSON.parse would round long ones.
 * @param {string} json
 */
const indented = (json) => {
  JSON.parse(json);
  let depth = 0;
  const line = () => `\n${"  ".repeat(depth)}`;
  return json.replace(/"(?:[^"\\]|\\.)*"|[{[]\s*[}\]]|[{}[\],:]|\s+/g, (token) => {
    if (token.trim() === "") return "";
    if (token.length > 1) return token[0] === '"' ? token : token.replace(/\s/g, "");
    if (token === ":") return ": ";
    if (token === ",") return `,${line()}`;
    if (token === "{" || token === "[") {
      depth += 1;
      if (depth > DEEPEST) throw new RangeError("nested too deep");
      return `${token}${line()}`;
    }
    depth -= 1;
    return `${line()}${token}`;
  });
};

/** @param {Bytes} value */
const pretty = ({ text, encoding, truncated }) => {
  if (encoding === "base64" || truncated) return text;
  try {
    return indented(text);
  } catch {
    return text;
  }
};

/** @param {Bytes} value */
const kindOf = ({ encoding, decoded, schemaId, decodeError, bytes: size, truncated }) =>
  [
    bytes(size),
    decodeError && `not decoded: ${decodeError}`,
    schemaId === undefined ? undefined : `schema ${schemaId}`,
    decoded ? `${decoded}, decoded` : encoding === "base64" ? "binary, as base64" : undefined,
    truncated ? "truncated" : undefined,
  ]
    .filter((word) => word !== undefined)
    .join(", ");

/** @param {Bytes | null} key */
const keyText = (key) => (key === null ? "" : key.text.slice(0, PREVIEW));

/**
 * @param {Shown} record
 * @param {readonly (readonly [string, import("./dom.js").Child])[]} more further facts
 */
const opened = ({ key, value, headers }, more) => [
  facts([
    ["Key", key === null ? "none" : `${key.text} (${kindOf(key)})`],
    ["Value", value === null ? "none: a tombstone" : kindOf(value)],
    ...more,
    ...headers.map(
      ({ name, value: text }) => /** @type {const} */ ([name, text === null ? "null" : text.text]),
    ),
  ]),
  value && el("pre", { tabindex: 0, role: "group", "aria-label": "Value" }, pretty(value)),
];

/**
 * @param {Shown} record
 * @param {readonly (readonly [string, import("./dom.js").Child])[]} [more]
 */
export const recordItem = (record, more = []) => {
  const { partition, offset, timestamp, key, value } = record;
  const details = el(
    "details",
    {},
    el(
      "summary",
      {},
      el("time", { datetime: isoTime(timestamp) }, clockTime(timestamp)),
      el("span", { class: "at", title: "partition and offset" }, `${partition}@${offset}`),
      el("span", { class: "key" }, keyText(key)),
      el("span", { class: "preview" }, preview(value)),
    ),
  );
  // The details are built when the operator opens the record: most records are never opened.
  details.addEventListener(
    "toggle",
    () => details.append(...opened(record, more).filter((child) => child !== null)),
    { once: true },
  );
  return el("li", {}, details);
};

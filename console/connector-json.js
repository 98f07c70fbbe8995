/** A connector's configuration as JSON, in the forms that Kafka Connect's REST API takes. */

/** @typedef {import("./connector-fields.js").Config} Config */

/** @param {unknown} value @returns {value is Record<string, unknown>} */
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);

/** @param {string} text @returns {unknown} */
const parsed = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/**
 * Reads the settings alone, or an object with `name` and `config`. Numbers, true and false become text; null leaves the
 * setting out.
 * @param {string} text
 * @returns {{ config: Config } | { error: string }}
 */
export const configFromJson = (text) => {
  const whole = parsed(text);
  if (!isObject(whole)) return { error: 'The text is not a JSON object. Example: {"topics": "orders"}' };
  const inner = whole["config"];
  const settings = isObject(inner)
    ? { ...(typeof whole["name"] === "string" && { name: whole["name"] }), ...inner }
    : whole;
  const wrong = Object.entries(settings).find(([, value]) => typeof value === "object" && value !== null);
  if (wrong !== undefined) return { error: `${wrong[0]} must be text, a number, true or false.` };
  const texts = Object.entries(settings)
    .filter(([, value]) => value !== null)
    .map(([name, value]) => [name, String(value)]);
  return { config: Object.fromEntries(texts) };
};

/** @param {Config} config */
export const configToJson = (config) => JSON.stringify(config, null, 2);

/** How github.com/santhosh-tekuri/jsonschema v5, whose words Memphis' clients know, writes values and locations. */

/** Text between single quotes, escaped as Go does it. */
export const quote = (text: string): string =>
  `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;

/** A float64 as Go prints it: with an exponent of two digits or more below 1e-4 and from a million on. */
export const float = (value: unknown): string => {
  const number = Number(value);
  const [digits = "", exponent = "0"] = number.toExponential().split("e");
  const power = Number(exponent);
  if (number === 0 || (power >= -4 && power < 6)) return String(number);
  return `${digits}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
};

/** A constant of the schema; numbers stand between quotes like strings, which is how the library keeps them. */
export const constant = (value: unknown): string => {
  if (value === null) return "<nil>";
  return typeof value === "number" ? `"${value}"` : JSON.stringify(value);
};

/** JSON's name for a value's type; it knows no integer. */
export const typeOf = (value: unknown): string => {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
};

/** One token of a JSON pointer, escaped for a URL's path. */
const token = (name: string): string =>
  encodeURIComponent(name.replaceAll("~", "~0").replaceAll("/", "~1"))
    .replace(/%(24|26|2B|3A|3D|40)/g, decodeURIComponent)
    .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

/** The tokens of a pointer as ajv gives it, unescaped. */
export const tokensOf = (pointer: string): string[] =>
  pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));

/** A pointer to the value at fault; where a name is at fault, to its member. */
export const pointer = (tokens: readonly string[]): string =>
  tokens.map((name) => `/${token(name)}`).join("");

/**
 * Values and locations as the Go library github.com/santhosh-tekuri/jsonschema v5 writes them, whose texts Memphis clients
 * know. The location of a keyword is the path that validation took: it contains each `$ref`, not the target of the `$ref`.
 */

/** A text in single quotes, escaped as in Go. */
export const quote = (text: string): string =>
  `'${JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"').replaceAll("'", "\\'")}'`;

/** A float64 as Go prints it. Numbers below 1e-4, and numbers from 1e6 on, have an exponent of at least two digits. */
export const float = (value: unknown): string => {
  const number = Number(value);
  const [digits = "", exponent = "0"] = number.toExponential().split("e");
  const power = Number(exponent);
  if (number === 0 || (power >= -4 && power < 6)) return String(number);
  return `${digits}e${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
};

/** A constant of the schema. Numbers are quoted, because the Go library keeps them as strings. */
export const constant = (value: unknown): string => {
  if (value === null) return "<nil>";
  return typeof value === "number" ? `"${value}"` : JSON.stringify(value);
};

/** The JSON type of a value. An integer is a number. */
export const typeOf = (value: unknown): string => {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
};

/** One token of a JSON pointer, escaped for a URL's path. */
const token = (name: string): string =>
  encodeURIComponent(name.replaceAll("~", "~0").replaceAll("/", "~1"))
    .replace(/%(24|26|2B|3A|3D|40)/g, decodeURIComponent)
    .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

/** The unescaped tokens of a JSON pointer from ajv. */
export const tokensOf = (pointer: string): string[] =>
  pointer
    .split("/")
    .slice(1)
    .map((part) => part.replaceAll("~1", "/").replaceAll("~0", "~"));

/** The tokens as a JSON pointer, escaped for a URL's path. */
export const pointer = (tokens: readonly string[]): string =>
  tokens.map((name) => `/${token(name)}`).join("");

/** Keywords whose schemas apply to the same value, and keywords whose schemas apply to its members or items (INSIDE…). */
const IN_PLACE = ["not", "if", "then", "else", "propertyNames"];
const IN_PLACE_MANY = ["allOf", "anyOf", "oneOf", "dependentSchemas", "dependencies"];
const INSIDE = [
  "additionalProperties",
  "items",
  "additionalItems",
  "contains",
  "unevaluatedProperties",
  "unevaluatedItems",
];
const INSIDE_BY_NAME = ["properties", "prefixItems", "items"];
const INSIDE_MANY = ["patternProperties"];

interface Step {
  readonly node: unknown;
  readonly path: readonly string[];
  /** The rest of the path from the value of this node to the target's value. */
  readonly instance: readonly string[];
}

type SchemaObject = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is SchemaObject => typeof value === "object" && value !== null;

/**
 * The path from the schema `root` to its part `target`, which applied to the value at `instance`. The target is found by
 * object identity. undefined: no path was found, for example because it contains a `$dynamicRef`.
 */
export const locate = (
  root: unknown,
  target: unknown,
  instance: readonly string[],
): readonly string[] | undefined => {
  const queue: Step[] = [{ node: root, path: [], instance }];
  const seen = new Map<unknown, Set<number>>();
  for (let step = queue.shift(); step !== undefined; step = queue.shift()) {
    if (step.node === target && step.instance.length === 0) return step.path;
    const depths = seen.get(step.node) ?? new Set();
    if (!isObject(step.node) || depths.has(step.instance.length)) continue;
    seen.set(step.node, depths.add(step.instance.length));
    queue.push(...inPlace(step, step.node, root), ...inside(step, step.node));
  }
  return undefined;
};

const inPlace = ({ path, instance }: Step, node: SchemaObject, root: unknown): Step[] => {
  const reference = node["$ref"];
  const target = typeof reference === "string" ? resolve(root, reference) : undefined;
  return [
    { node: target, path: [...path, "$ref"], instance },
    ...IN_PLACE.map((keyword) => ({ node: node[keyword], path: [...path, keyword], instance })),
    ...IN_PLACE_MANY.flatMap((keyword) => entriesOf(node[keyword], [...path, keyword], instance)),
  ];
};

const inside = ({ path, instance }: Step, node: SchemaObject): Step[] => {
  const [name, ...rest] = instance;
  if (name === undefined) return [];
  return [
    ...INSIDE_BY_NAME.map((keyword) => ({
      node: memberOf(node[keyword], name),
      path: [...path, keyword, name],
      instance: rest,
    })),
    ...INSIDE_MANY.flatMap((keyword) => entriesOf(node[keyword], [...path, keyword], rest)),
    ...INSIDE.map((keyword) => ({ node: node[keyword], path: [...path, keyword], instance: rest })),
  ];
};

const memberOf = (schemas: unknown, name: string): unknown =>
  isObject(schemas) && Object.hasOwn(schemas, name) ? schemas[name] : undefined;

const entriesOf = (schemas: unknown, path: readonly string[], instance: readonly string[]): Step[] =>
  isObject(schemas)
    ? Object.entries(schemas).map(([name, node]) => ({ node, path: [...path, name], instance }))
    : [];

/** The target of a `$ref` that is a JSON pointer in the same document. Anchors are not followed. */
const resolve = (root: unknown, reference: string): unknown => {
  if (!/^#(\/|$)/.test(reference)) return undefined;
  return tokensOf(decodeURIComponent(reference.slice(1))).reduce<unknown>(
    (node, name) => (isObject(node) ? node[name] : undefined),
    root,
  );
};

/** Where in a schema a part of it stands, by the way that validation came: through each `$ref`, not to its target. */

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

/** Keywords whose schemas judge the same value, and those whose schemas judge a member or an item of it. */
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
  /** How much of the instance's path this node is still above. */
  readonly instance: readonly string[];
}

type SchemaObject = Readonly<Record<string, unknown>>;

const isObject = (value: unknown): value is SchemaObject => typeof value === "object" && value !== null;

/**
 * The tokens from `root` to `target` (a part of it, by identity) when it judges the value at `instance`; undefined
 * where no such way is found, as through a `$dynamicRef`.
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

/** A `$ref` within its document: by JSON pointer; one by anchor isn't followed. */
const resolve = (root: unknown, reference: string): unknown => {
  if (!/^#(\/|$)/.test(reference)) return undefined;
  return tokensOf(decodeURIComponent(reference.slice(1))).reduce<unknown>(
    (node, name) => (isObject(node) ? node[name] : undefined),
    root,
  );
};

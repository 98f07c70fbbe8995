/** Kafka Connect's transformations and predicates that the gateway runs. Each record passes the transformations in order. */
import type { PreparedRecord } from "../engine/delivery-plan.ts";
import type { Reader } from "./config-reader.ts";
import { booleanText, list, nonBlank, text, wholePattern } from "./config-values.ts";
import { key, type Key } from "./keys.ts";
import type { RawConfig } from "./masking.ts";

/** undefined: the record is filtered out. */
export type Transformation = (record: PreparedRecord) => PreparedRecord | undefined;

type Predicate = (record: PreparedRecord) => boolean;

const PACKAGE = "org.apache.kafka.connect.transforms.";

/** Reads the keys of one alias, for example `transforms.A.`. */
type ReadOf = <T>(name: string, parse: Key<T>["parse"], required?: boolean) => T | undefined;

type Kinds<T> = ReadonlyMap<string, (read: ReadOf) => T>;

const PREDICATES: Kinds<Predicate> = new Map(
  Object.entries<(read: ReadOf) => Predicate>({
    "predicates.TopicNameMatches": (read) => {
      const pattern = read("pattern", wholePattern, true);
      return ({ topic }) => pattern?.test(topic) === true;
    },
    "predicates.HasHeaderKey": (read) => {
      const wanted = read("name", nonBlank, true);
      return ({ headers }) => headers.some(({ name }) => name === wanted);
    },
    "predicates.RecordIsTombstone":
      () =>
      ({ value }) =>
        value === null,
  }),
);

const TRANSFORMATIONS: Kinds<Transformation> = new Map(
  Object.entries<(read: ReadOf) => Transformation>({
    Filter: () => () => undefined,
    InsertHeader: (read) => {
      const name = read("header", nonBlank, true) ?? "";
      const value = Buffer.from(read("value.literal", text, true) ?? "");
      return (record) => ({ ...record, headers: [...record.headers, { name, value }] });
    },
    DropHeaders: (read) => {
      const dropped = new Set(read("headers", list, true));
      return (record) => ({ ...record, headers: record.headers.filter(({ name }) => !dropped.has(name)) });
    },
  }),
);

const namesOf = (kinds: Kinds<unknown>): readonly string[] =>
  [...kinds.keys()].map((name) => `${PACKAGE}${name}`);

/** The full names of the classes. */
export const TRANSFORMATION_CLASSES = namesOf(TRANSFORMATIONS);
export const PREDICATE_CLASSES = namesOf(PREDICATES);

const readerOf =
  ({ read }: Reader, prefix: string): ReadOf =>
  (name, parse, required = false) =>
    read(key(`${prefix}${name}`, "", parse, { required }));

/** Reads each alias that `list` names. `refusal`: why a class that isn't in `kinds` is refused. */
const readAliases = <T>(
  reader: Reader,
  listed: "transforms" | "predicates",
  { kinds, refusal }: { readonly kinds: Kinds<T>; readonly refusal: string },
): ReadonlyMap<string, { readonly made: T; readonly read: ReadOf }> => {
  const aliases = new Set(reader.read(key(listed, "", list)));
  const found = [...aliases].flatMap((alias) => {
    const read = readerOf(reader, `${listed}.${alias}.`);
    const type = read("type", text, true);
    if (type === undefined) return [];
    const make = type.startsWith(PACKAGE) ? kinds.get(type.slice(PACKAGE.length)) : undefined;
    if (make !== undefined) return [[alias, { made: make(read), read }] as const];
    reader.invalid(`${listed}.${alias}.type`, refusal);
    return [];
  });
  return new Map(found);
};

/** A transformation with a predicate leaves the other records as they are. */
const only =
  (transformation: Transformation, predicate: Predicate, negate: boolean): Transformation =>
  (record) =>
    predicate(record) === negate ? record : transformation(record);

export const readTransformations = (reader: Reader, config: RawConfig): readonly Transformation[] => {
  const predicates = readAliases(reader, "predicates", {
    kinds: PREDICATES,
    refusal: "predicate is not run here",
  });
  const declared = new Set(reader.read(key("predicates", "", list)));
  const transformations = readAliases(reader, "transforms", {
    kinds: TRANSFORMATIONS,
    refusal: "transformation is not run here; use filter or transform instead",
  });
  return [...transformations].map(([alias, { made, read }]) => {
    const negate = read("negate", booleanText) ?? false;
    const wanted = config[`transforms.${alias}.predicate`];
    if (wanted === undefined) return negate ? (record) => record : made;
    if (!declared.has(wanted))
      reader.invalid(`transforms.${alias}.predicate`, "the predicate is not declared in predicates");
    return only(made, predicates.get(wanted)?.made ?? (() => false), negate);
  });
};

/** Runs all transformations. undefined: the record is filtered out. */
export const transformed = (
  record: PreparedRecord,
  transformations: readonly Transformation[],
): PreparedRecord | undefined =>
  transformations.reduce<PreparedRecord | undefined>(
    (current, transformation) => (current === undefined ? undefined : transformation(current)),
    record,
  );

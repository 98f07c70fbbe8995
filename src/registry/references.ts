/** Finds the schemas that a schema refers to. */
import { LRUCache } from "lru-cache";
import { GatewayError } from "../errors.ts";
import type { SchemaSource, SchemaType } from "../formats/format.ts";
import { cut } from "../lib/text.ts";
import type { Line } from "./line.ts";
import { type PlacedSchema, type Reference, requests, type StoredSchema } from "./requests.ts";
import { checkSubject, referredSubject } from "./subjects.ts";

/** Levels of references, and references in total. */
const MAX_DEPTH = 16;
const MAX_REFERENCES = 100;
/** Texts of referred schemas take this many times `maxSchemaBytes`, because many schemas refer to the same ones. */
const SHARED_TEXTS = 16;

export interface ReferenceOptions {
  readonly line: Pick<Line, "ask">;
  /** Maximum bytes of the schema, and maximum total bytes of the schemas that it refers to. */
  readonly maxSchemaBytes: number;
}

/**
 * The schema with all texts that it refers to. A reference whose subject names no context of the registry (`:.name:`)
 * is in the context of `subject`. Rejects with SCHEMA_UNUSABLE or REGISTRY_UNAVAILABLE.
 */
export type Resolve = (schema: StoredSchema, subject: string | undefined) => Promise<SchemaSource>;

const unusable = (reason: string): GatewayError =>
  new GatewayError("SCHEMA_UNUSABLE", { message: `The schema can't be used: ${reason}` });

/** By the registry's name of the type. */
const TYPES: ReadonlyMap<string, SchemaType> = new Map([
  ["AVRO", "AVRO"],
  ["JSON", "JSONSCHEMA"],
  ["PROTOBUF", "PROTOBUF"],
]);

/** Throws SCHEMA_UNUSABLE if the schema is too large. */
export const checkSize = (text: string, maxSchemaBytes: number): void => {
  if (Buffer.byteLength(text) > maxSchemaBytes)
    throw unusable(`it is larger than registry.maxSchemaBytes (${maxSchemaBytes} bytes)`);
};

interface Search {
  readonly type: string;
  /** Names of all references so far, and of those that are found or being visited. */
  readonly named: Set<string>;
  readonly begun: Set<string>;
  readonly found: SchemaSource["references"][number][];
  bytes: number;
}

export const createResolve = ({ line, maxSchemaBytes }: ReferenceOptions): Resolve => {
  const shared = new LRUCache<string, PlacedSchema>({
    maxSize: SHARED_TEXTS * maxSchemaBytes,
    sizeCalculation: ({ text, references }) => text.length + 200 * (references.length + 1),
  });

  const load = async (reference: Reference, subject: string): Promise<PlacedSchema> => {
    const key = `${reference.version} ${subject}`;
    const known = shared.get(key);
    if (known !== undefined) return known;
    if (reference.version < 1)
      throw unusable(
        `its reference ${shown(reference)} must have a version of 1 or greater (got ${reference.version})`,
      );
    checkReferred(reference, subject);
    const answer = await line.ask(requests.reference({ subject, version: reference.version }));
    if (answer.status !== "found")
      throw unusable(`its reference ${shown(reference)} is not in the registry (${answer.reason})`);
    shared.set(key, answer.value);
    return answer.value;
  };

  const visit = async (
    { references }: StoredSchema,
    parent: string | undefined,
    path: readonly string[],
    search: Search,
  ): Promise<void> => {
    if (references.length === 0) return;
    if (path.length >= MAX_DEPTH)
      throw unusable(`its references are nested in more than ${MAX_DEPTH} levels`);
    checkCycle(references, parent, path);
    const fresh = references.filter(({ name }) => !search.begun.has(name));
    for (const { name } of references) search.named.add(name);
    if (search.named.size > MAX_REFERENCES) throw unusable(`it has more than ${MAX_REFERENCES} references`);
    const loaded = await Promise.all(
      fresh.map(async (reference) => {
        const subject = referredSubject(reference.subject, parent);
        return { reference, subject, schema: await load(reference, subject) };
      }),
    );
    for (const { reference, subject, schema } of loaded) {
      const { name } = reference;
      // If two references have the same name, the first one counts, as in Confluent's clients.
      if (search.begun.has(name)) continue;
      search.begun.add(name);
      if (schema.type !== search.type) throw unusable(`its reference ${shown(reference)} has another format`);
      search.bytes += Buffer.byteLength(schema.text);
      if (search.bytes > maxSchemaBytes)
        throw unusable(`its references are larger than registry.maxSchemaBytes (${maxSchemaBytes} bytes)`);
      await visit(schema, subject, [...path, placeOf(reference, parent)], search);
      search.found.push({ name, text: schema.text });
    }
  };

  return async (schema, subject) => {
    const type = TYPES.get(schema.type);
    if (type === undefined) throw unusable(`the gateway does not know the type ${cut(schema.type, 50)}`);
    checkSize(schema.text, maxSchemaBytes);
    const search: Search = { type: schema.type, named: new Set(), begun: new Set(), found: [], bytes: 0 };
    await visit(schema, subject, [], search);
    return { type, text: schema.text, references: search.found };
  };
};

const shown = ({ name }: Reference): string => JSON.stringify(cut(name, 100));

const placeOf = ({ subject, version }: Reference, parent: string | undefined): string =>
  `${version} ${referredSubject(subject, parent)}`;

const checkCycle = (
  references: readonly Reference[],
  parent: string | undefined,
  path: readonly string[],
): void => {
  const back = references.find((reference) => path.includes(placeOf(reference, parent)));
  if (back !== undefined) throw unusable(`its references form a cycle at ${shown(back)}`);
};

const checkReferred = (reference: Reference, subject: string): void => {
  try {
    checkSubject(subject);
  } catch (error) {
    throw unusable(`its reference ${shown(reference)} can't be found: ${(error as Error).message}`);
  }
};

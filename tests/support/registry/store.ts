/** The schemas of a registry for tests, with the rules of Confluent's registry. */
import { createHash } from "node:crypto";

export interface StoredReference {
  readonly name: string;
  readonly subject: string;
  readonly version: number;
}

/** `schemaType` as the registry names it: absent for Avro, or JSON or PROTOBUF. */
export interface RegistrySchema {
  readonly schema: string;
  readonly schemaType?: string | undefined;
  readonly references?: readonly StoredReference[] | undefined;
}

export interface StoredVersion extends RegistrySchema {
  readonly subject: string;
  readonly id: number;
  readonly version: number;
  readonly guid: string;
  isDeleted: boolean;
}

/** An answer of the registry: the HTTP status and the body. */
export interface StoreAnswer {
  readonly status: number;
  readonly body: unknown;
}

export const fault = (code: number, message: string): StoreAnswer => ({
  status: Number(String(code).slice(0, 3)),
  body: { error_code: code, message },
});

const found = (body: unknown): StoreAnswer => ({ status: 200, body });

/** `:.ctx:name` is in the context `.ctx`. */
const contextOf = (subject: string): string => /^:(\.[^:]*):/.exec(subject)?.[1] ?? ".";

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

const isValid = ({ schema, schemaType = "AVRO" }: RegistrySchema): boolean =>
  schemaType === "PROTOBUF" ? /\bmessage\b|\benum\b/.test(schema) : isJson(schema);

const identity = (
  { schema, schemaType = "AVRO", references = [] }: RegistrySchema,
  normalize: boolean,
): string =>
  JSON.stringify([
    schemaType,
    normalize && isJson(schema) ? JSON.stringify(JSON.parse(schema)) : schema,
    references.map(({ name, subject, version }) => [name, subject, version]),
  ]);

const guidOf = (schema: RegistrySchema): string =>
  createHash("sha256")
    .update(identity(schema, false))
    .digest("hex")
    .replace(/^(.{8})(.{4})(.{4})(.{4})(.{12}).*$/, "$1-$2-$3-$4-$5");

const shown = ({ schema, schemaType, references = [] }: StoredVersion): object => ({
  schema,
  ...(schemaType === undefined || schemaType === "AVRO" ? {} : { schemaType }),
  ...(references.length === 0 ? {} : { references }),
});

const placed = (stored: StoredVersion): object => ({
  subject: stored.subject,
  version: stored.version,
  id: stored.id,
  ...shown(stored),
});

/** Creates an empty store. Each context counts its own ids. */
export const createStore = () => {
  const all: StoredVersion[] = [];
  const living = (subject: string): StoredVersion[] =>
    all.filter((one) => one.subject === subject && !one.isDeleted);

  const idOf = (subject: string, schema: RegistrySchema): number => {
    const peers = all.filter((one) => contextOf(one.subject) === contextOf(subject));
    const same = peers.find((one) => identity(one, false) === identity(schema, false));
    return same?.id ?? Math.max(0, ...peers.map(({ id }) => id)) + 1;
  };

  const register = (subject: string, schema: RegistrySchema): StoredVersion => {
    const same = living(subject).find((one) => identity(one, false) === identity(schema, false));
    if (same !== undefined) return same;
    const versions = all.filter((one) => one.subject === subject).map(({ version }) => version);
    const stored = {
      ...schema,
      subject,
      id: idOf(subject, schema),
      version: Math.max(0, ...versions) + 1,
      guid: guidOf(schema),
      isDeleted: false,
    };
    all.push(stored);
    return stored;
  };

  const byId = (id: number, subject: string | null): StoredVersion[] =>
    all.filter((one) => one.id === id && contextOf(one.subject) === contextOf(subject ?? ""));

  return {
    register,
    /** Deletes softly, as the registry does. */
    remove: (subject: string): void => {
      for (const one of living(subject)) one.isDeleted = true;
    },
    idAnswer: (id: number, subject: string | null): StoreAnswer => {
      const [first] = byId(id, subject);
      return first === undefined ? fault(40403, "Schema not found") : found(shown(first));
    },
    guidAnswer: (guid: string): StoreAnswer => {
      const first = all.find((one) => one.guid === guid);
      return first === undefined ? fault(40403, "Schema not found") : found(shown(first));
    },
    membershipAnswer: (id: number, subject: string | null): StoreAnswer => {
      const versions = byId(id, subject);
      if (versions.length === 0) return fault(40403, "Schema not found");
      const kept = versions.filter(({ isDeleted }) => !isDeleted);
      return found(kept.map(({ subject: name, version }) => ({ subject: name, version })));
    },
    versionAnswer: (subject: string, version: string, deleted: boolean): StoreAnswer => {
      const versions = deleted ? all.filter((one) => one.subject === subject) : living(subject);
      if (versions.length === 0) return fault(40401, `Subject '${subject}' not found.`);
      const one =
        version === "latest" ? versions.at(-1) : versions.find((each) => each.version === Number(version));
      return one === undefined ? fault(40402, `Version ${version} not found.`) : found(placed(one));
    },
    lookUpAnswer: (subject: string, schema: RegistrySchema, normalize: boolean): StoreAnswer => {
      const versions = living(subject);
      if (versions.length === 0) return fault(40401, `Subject '${subject}' not found.`);
      const one = versions.find((each) => identity(each, normalize) === identity(schema, normalize));
      return one === undefined ? fault(40403, "Schema not found") : found(placed(one));
    },
    registerAnswer: (subject: string, schema: RegistrySchema): StoreAnswer =>
      isValid(schema)
        ? found({ id: register(subject, schema).id })
        : fault(42201, `Invalid schema ${schema.schema} with refs [] of type ${schema.schemaType ?? "AVRO"}`),
  };
};

export type Store = ReturnType<typeof createStore>;

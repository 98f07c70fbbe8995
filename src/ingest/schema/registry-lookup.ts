/** Questions to the schema registry for the records of one station, and their answers for one call. */
import { asGatewayError, GatewayError } from "../../errors.ts";
import type { SchemaType } from "../../formats/format.ts";
import type {
  RecordPartName,
  SchemaQuestion,
  SchemaRegistry,
  SubjectChoice,
  SubjectStrategy,
} from "../../registry/contract.ts";
import type { FoundSchema, RegistryValidator } from "./validator.ts";

/** How a record of the REST Proxy API names its schema. */
export interface SchemaName {
  readonly by:
    | { readonly kind: "latest" }
    | { readonly kind: "version"; readonly version: number }
    | { readonly kind: "id"; readonly id: number }
    | { readonly kind: "text"; readonly type: SchemaType; readonly text: string };
  /** undefined: the station's subject, or the subject of the default strategy. */
  readonly of?: { readonly subject: string } | { readonly strategy: SubjectStrategy };
  /** The type that the client states. It must be the schema's type. */
  readonly type?: SchemaType;
}

export interface LookupOptions {
  readonly registry: Pick<SchemaRegistry, "find">;
  /** Default strategies. */
  readonly strategy: Readonly<Record<RecordPartName, SubjectStrategy>>;
  /** True if a record that contains the text of a schema may register this schema. */
  readonly autoRegister: boolean;
}

export type Asked = FoundSchema | Promise<FoundSchema>;

/** The schema, or the error that `find` throws or rejects with. */
export const settled = (find: () => Asked): Asked => {
  try {
    const found = find();
    return found instanceof Promise ? found.catch(asGatewayError) : found;
  } catch (error) {
    return asGatewayError(error);
  }
};

/** Its functions never throw or reject. */
export interface Lookup {
  /** The schema that a record names. On a registry station a value's schema must belong to the station's subject. */
  named(part: RecordPartName, name: SchemaName): Asked;
  /** The schema with this id, which must belong to the station's subject. */
  ofStation(id: number, own: RegistryValidator): Asked;
}

export const createLookup = (
  topic: string,
  own: RegistryValidator | undefined,
  { registry, strategy: defaults, autoRegister }: LookupOptions,
): Lookup => {
  const find = (question: () => SchemaQuestion): Asked => settled(() => registry.find(question()));
  const subjectOf = (part: RecordPartName, { of }: SchemaName): SubjectChoice => {
    if (of !== undefined && "subject" in of) return of;
    if (of === undefined && part === "value" && own !== undefined) return { subject: own.subject };
    return { strategy: of?.strategy ?? defaults[part], topic, part };
  };
  const ofStation = (id: number, { subject }: RegistryValidator): Asked =>
    find(() => ({ of: { subject }, by: "id", id }));

  return {
    ofStation,
    named: (part, name) => {
      const found = find(() => questionOf(name, subjectOf(part, name), { part, autoRegister }));
      if (part === "key" || own === undefined) return found;
      return then(found, (schema) => {
        if (schema instanceof GatewayError || schema.subject === own.subject) return schema;
        return then(ofStation(schema.id, own), (same) => (same instanceof GatewayError ? same : schema));
      });
    },
  };
};

/** Throws REQUEST_INVALID if the subject depends on the name of a record that is not known yet. */
const questionOf = (
  { by }: SchemaName,
  of: SubjectChoice,
  { part, autoRegister: register }: { readonly part: RecordPartName; readonly autoRegister: boolean },
): SchemaQuestion => {
  switch (by.kind) {
    case "id":
      return { of, by: "id", id: by.id };
    case "text":
      return { of, by: "text", type: by.type, text: by.text, register };
    case "latest":
    case "version":
      if ("strategy" in of && of.strategy !== "topic-name")
        throw new GatewayError("REQUEST_INVALID", {
          message: `${part}: the subject name strategy ${of.strategy} needs schema_id or schema`,
        });
      return by.kind === "latest" ? { of, by: "latest" } : { of, by: "version", version: by.version };
  }
};

const then = (asked: Asked, next: (found: FoundSchema) => Asked): Asked =>
  asked instanceof Promise ? asked.then(next) : next(asked);

/** The answers to the questions of one call, by a text that identifies the question. */
export interface Answers {
  /** Asks, unless this question has been asked. */
  ask(key: string, question: () => Asked): void;
  /** The answer to a question that was asked, after `waiting()`. */
  get(key: string): FoundSchema;
  /** Resolves when all answers are known. undefined: they are known. */
  waiting(): Promise<unknown> | undefined;
}

export const createAnswers = (): Answers => {
  const answers = new Map<string, FoundSchema | undefined>();
  const pending: Promise<unknown>[] = [];
  return {
    ask: (key, question) => {
      if (answers.has(key)) return;
      const found = question();
      answers.set(key, found instanceof Promise ? undefined : found);
      if (found instanceof Promise) pending.push(found.then((answer) => answers.set(key, answer)));
    },
    get: (key) => answers.get(key) ?? new GatewayError("INTERNAL"),
    waiting: () => (pending.length === 0 ? undefined : Promise.all(pending)),
  };
};

/** How each question is answered: from what is known, or by requests to the registry. */
import { GatewayError } from "../errors.ts";
import type { CompiledSchema } from "../formats/format.ts";
import { createSchemas, type Schemas } from "./by-id.ts";
import { createTexts, type TextsOptions } from "./by-text.ts";
import type { RegisteredSchema, SchemaId, SchemaQuestion, SubjectChoice } from "./contract.ts";
import type { Resolve } from "./references.ts";
import type { Place } from "./requests.ts";
import { checkSubject, givenSubject, subjectFor } from "./subjects.ts";
import { createVersions, type VersionsOptions } from "./versions.ts";

export interface AnswersOptions
  extends Omit<TextsOptions, "line" | "schemas" | "onRegistered">, Omit<VersionsOptions, "schemas"> {
  readonly resolve: Resolve;
}

export interface Answers {
  /** undefined: the registry must be asked. Throws a remembered refusal. */
  recall(question: SchemaQuestion): RegisteredSchema | undefined;
  ask(question: SchemaQuestion): Promise<RegisteredSchema>;
  recallSchema(id: SchemaId, subject: string | undefined): CompiledSchema | undefined;
  askSchema(id: SchemaId, subject: string | undefined): Promise<CompiledSchema>;
}

/** Throws REQUEST_INVALID for a strategy that needs a schema. */
const subjectOf = (choice: SubjectChoice): string => {
  const subject = givenSubject(choice);
  if (subject !== undefined) return subject;
  throw new GatewayError("REQUEST_INVALID", {
    message: "The strategies RECORD_NAME and TOPIC_RECORD_NAME need schema_id or schema",
  });
};

/** Names are checked only before the registry is asked, because known answers are the fast path. */
const checkGiven = (subject: string | undefined): void => {
  if (subject !== undefined) checkSubject(subject);
};

const registered = (subject: string, { id, version }: Place, schema: CompiledSchema): RegisteredSchema => ({
  id,
  subject,
  version,
  schema,
});

const versionOf = (question: Extract<SchemaQuestion, { by: "latest" | "version" }>): number | "latest" =>
  question.by === "latest" ? "latest" : question.version;

/** Questions for an id, which must be one of the subject's ids. */
const idAnswers = (schemas: Schemas) => ({
  recall: (of: SubjectChoice, id: number): RegisteredSchema | undefined => {
    const given = givenSubject(of);
    const schema = schemas.recall(id, given);
    if (schema === undefined) return undefined;
    const subject = given ?? subjectFor(of, schema.name);
    const place = schemas.recallPlace(id, subject);
    return place && registered(subject, place, schema);
  },
  ask: async (of: SubjectChoice, id: number): Promise<RegisteredSchema> => {
    const given = givenSubject(of);
    const schema = schemas.recall(id, given) ?? (await schemas.ask(id, given));
    const subject = given ?? subjectFor(of, schema.name);
    checkSubject(subject);
    const place = schemas.recallPlace(id, subject) ?? (await schemas.askPlace(id, subject));
    return registered(subject, place, schema);
  },
});

export const createAnswers = (options: AnswersOptions): Answers => {
  const schemas = createSchemas(options);
  const versions = createVersions({ ...options, schemas });
  const texts = createTexts({ ...options, schemas, onRegistered: versions.changed });
  const byId = idAnswers(schemas);

  const recallAt = (subject: string, place: Place | undefined): RegisteredSchema | undefined => {
    const schema = place && schemas.recall(place.id, subject);
    return place && schema && registered(subject, place, schema);
  };

  /** The text of a known place may have been forgotten. */
  const askAt = async (subject: string, place: Place): Promise<RegisteredSchema> => {
    const schema = schemas.recall(place.id, subject) ?? (await schemas.ask(place.id, subject));
    return registered(subject, place, schema);
  };

  return {
    recall: (question) => {
      if (question.by === "id") return byId.recall(question.of, question.id);
      if (question.by === "text") {
        const found = texts.recall(question);
        return found && recallAt(found.subject, found.place);
      }
      const subject = subjectOf(question.of);
      return recallAt(subject, versions.recall(subject, versionOf(question)));
    },
    ask: async (question) => {
      checkGiven(givenSubject(question.of));
      if (question.by === "id") return byId.ask(question.of, question.id);
      if (question.by === "text") {
        const { subject, place } = texts.recall(question) ?? (await texts.ask(question));
        return askAt(subject, place);
      }
      const subject = subjectOf(question.of);
      const version = versionOf(question);
      return askAt(subject, versions.recall(subject, version) ?? (await versions.ask(subject, version)));
    },
    recallSchema: (id, subject) => schemas.recall(id, subject),
    askSchema: async (id, subject) => {
      checkGiven(subject);
      return schemas.ask(id, subject);
    },
  };
};

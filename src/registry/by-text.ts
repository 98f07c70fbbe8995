/** Schemas by their text: looked up, and registered where that is allowed. */
import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import { asGatewayError, GatewayError } from "../errors.ts";
import type { SchemaType } from "../formats/format.ts";
import type { SubjectChoice } from "./contract.ts";
import type { Schemas } from "./by-id.ts";
import { compileWith, type Known, type KnownOptions } from "./known.ts";
import { type Answered, type Line, unavailable } from "./line.ts";
import { checkSize } from "./references.ts";
import { type Place, type PlacedSchema, requests } from "./requests.ts";
import { checkSubject, givenSubject, subjectFor } from "./subjects.ts";

export interface TextsOptions extends Pick<KnownOptions, "compile" | "limits" | "maxSchemaBytes"> {
  readonly line: Pick<Line, "ask">;
  readonly known: Known;
  readonly schemas: Pick<Schemas, "keep" | "keepPlace">;
  readonly normalize: boolean;
  /** The subject has got a schema. */
  readonly onRegistered: (subject: string) => void;
}

export interface TextQuestion {
  readonly of: SubjectChoice;
  readonly type: SchemaType;
  readonly text: string;
  readonly register: boolean;
}

export interface SubjectPlace {
  readonly subject: string;
  readonly place: Place;
}

export interface Texts {
  /** undefined: not known. Throws the remembered refusal, or SCHEMA_UNUSABLE. */
  recall(question: TextQuestion): SubjectPlace | undefined;
  /** Rejects with SCHEMA_UNKNOWN, SCHEMA_REGISTRATION_REFUSED, REGISTRY_FORBIDDEN, SCHEMA_UNUSABLE or REGISTRY_UNAVAILABLE. */
  ask(question: TextQuestion): Promise<SubjectPlace>;
}

/** Texts whose names are remembered. */
const MAX_NAMES = 1000;

const hashOf = ({ type, text }: TextQuestion): string =>
  createHash("sha256").update(type).update("\0").update(text).digest("base64");

const placeKey = (subject: string, hash: string): string => `text ${hash} ${subject}`;
const refusalKey = (subject: string, hash: string, register: boolean): string =>
  `text ${hash} ${register} ${subject}`;

/** Finds the subject of a text. Throws SCHEMA_UNUSABLE for a text that does not parse. */
const createSubjectOf = (options: TextsOptions): ((question: TextQuestion, hash: string) => string) => {
  const { known, maxSchemaBytes } = options;
  const names = new LRUCache<string, { readonly name: string | undefined } | GatewayError>({
    max: MAX_NAMES,
  });

  const compiled = ({ type, text }: TextQuestion): { readonly name: string | undefined } | GatewayError => {
    try {
      checkSize(text, maxSchemaBytes);
      return { name: compileWith(options, { type, text, references: [] }).name };
    } catch (error) {
      return asGatewayError(error);
    }
  };

  return (question, hash) => {
    const given = givenSubject(question.of);
    if (given !== undefined && known.place(placeKey(given, hash)) !== undefined) return given;
    const found = names.get(hash) ?? compiled(question);
    names.set(hash, found);
    if (found instanceof GatewayError) throw found;
    return subjectFor(question.of, found.name);
  };
};

/** Looks the text up, and registers it where that is allowed. */
const createSearch = ({ line, normalize, onRegistered }: TextsOptions) => {
  const lookUp = ({ type, text }: TextQuestion, subject: string): Promise<Answered<PlacedSchema>> =>
    line.ask(requests.lookUp(subject, type, text, normalize));

  const register = async (question: TextQuestion, subject: string): Promise<PlacedSchema> => {
    const { type, text } = question;
    const answer = await line.ask(requests.register(subject, type, text, normalize));
    if (answer.status !== "found") {
      throw new GatewayError(
        answer.status === "forbidden" ? "REGISTRY_FORBIDDEN" : "SCHEMA_REGISTRATION_REFUSED",
        {
          message: `The schema registry does not register the schema for the subject ${subject} (${answer.reason})`,
        },
      );
    }
    onRegistered(subject);
    const placed = await lookUp(question, subject);
    if (placed.status === "found") return placed.value;
    throw unavailable(`Subject ${subject}`, "it does not find the schema that it has registered");
  };

  return async (question: TextQuestion, subject: string): Promise<PlacedSchema> => {
    const answer = await lookUp(question, subject);
    if (answer.status === "found") return answer.value;
    if (question.register) return register(question, subject);
    throw new GatewayError("SCHEMA_UNKNOWN", {
      message: `The subject ${subject} does not have this schema (${answer.reason}), and autoRegister is off`,
    });
  };
};

export const createTexts = (options: TextsOptions): Texts => {
  const { known, schemas } = options;
  const subjectOf = createSubjectOf(options);
  const search = createSearch(options);

  return {
    recall: (question) => {
      const hash = hashOf(question);
      const subject = subjectOf(question, hash);
      const place = known.place(placeKey(subject, hash));
      if (place !== undefined) return { subject, place };
      known.checkRefused(refusalKey(subject, hash, question.register));
      return undefined;
    },
    ask: async (question) => {
      const hash = hashOf(question);
      const subject = subjectOf(question, hash);
      checkSubject(subject);
      let placed: PlacedSchema;
      try {
        placed = await search(question, subject);
      } catch (caught) {
        const error = asGatewayError(caught);
        if (error.code === "REGISTRY_UNAVAILABLE") throw error;
        throw known.refuse(refusalKey(subject, hash, question.register), error);
      }
      await schemas.keep(placed.id, subject, placed);
      known.addPlace(placeKey(subject, hash), placed);
      schemas.keepPlace(subject, placed);
      return { subject, place: placed };
    },
  };
};

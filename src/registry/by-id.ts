/** Schemas by their ids and GUIDs, and the subjects to which an id belongs. */
import { asGatewayError, GatewayError } from "../errors.ts";
import type { CompiledSchema } from "../formats/format.ts";
import type { SchemaId } from "./contract.ts";
import type { Known } from "./known.ts";
import type { Line } from "./line.ts";
import type { Resolve } from "./references.ts";
import { type Place, requests, type StoredSchema } from "./requests.ts";
import { contextOf } from "./subjects.ts";

export interface SchemasOptions {
  readonly line: Pick<Line, "ask">;
  readonly known: Known;
  readonly resolve: Resolve;
}

/** Throws or rejects with SCHEMA_UNKNOWN, and `askPlace` also with REGISTRY_UNAVAILABLE. */
interface Places {
  /** The version of the subject that has this id. undefined: not known. */
  recallPlace(id: number, subject: string): Place | undefined;
  askPlace(id: number, subject: string): Promise<Place>;
  keepPlace(subject: string, place: Place): void;
}

/**
 * `subject` gives the context of an id, because each context counts its ids. All methods throw or reject with SCHEMA_UNKNOWN
 * and SCHEMA_UNUSABLE, and those that ask also with REGISTRY_UNAVAILABLE.
 */
export interface Schemas extends Places {
  /** undefined: not known. */
  recall(id: SchemaId, subject: string | undefined): CompiledSchema | undefined;
  ask(id: SchemaId, subject: string | undefined): Promise<CompiledSchema>;
  /** Keeps a schema that came with another answer. */
  keep(id: SchemaId, subject: string | undefined, stored: StoredSchema): Promise<CompiledSchema>;
}

const keyOf = (id: SchemaId, subject: string | undefined): string => `${contextOf(subject)} ${id}`;
/** A registry may look for the id only in the subject, so its refusal holds only for this subject. */
const refusalKey = (id: SchemaId, subject = ""): string => `id ${id} ${subject}`;
const placeKey = (id: number, subject: string): string => `place ${id} ${subject}`;

export const createSchemas = ({ line, known, resolve }: SchemasOptions): Schemas => {
  const keep = async (
    id: SchemaId,
    subject: string | undefined,
    stored: StoredSchema,
  ): Promise<CompiledSchema> => {
    const key = keyOf(id, subject);
    const schema = known.schema(key);
    if (schema !== undefined) return schema;
    try {
      return known.add(key, await resolve(stored, subject));
    } catch (caught) {
      const error = asGatewayError(caught);
      throw error.code === "SCHEMA_UNUSABLE" ? known.refuse(refusalKey(id, subject), error) : error;
    }
  };

  const recall = (id: SchemaId, subject: string | undefined): CompiledSchema | undefined => {
    const schema = known.schema(keyOf(id, subject));
    if (schema === undefined) known.checkRefused(refusalKey(id, subject));
    return schema;
  };

  return {
    recall,
    ask: async (id, subject) => {
      const answer = await line.ask(
        typeof id === "number" ? requests.byId(id, subject) : requests.byGuid(id),
      );
      if (answer.status === "found") return keep(id, subject, answer.value);
      throw known.refuse(
        refusalKey(id, subject),
        new GatewayError("SCHEMA_UNKNOWN", {
          message: `Schema ${id} is not in the schema registry (${answer.reason})`,
        }),
      );
    },
    keep,
    ...createPlaces(line, known),
  };
};

const createPlaces = (line: SchemasOptions["line"], known: Known): Places => {
  const keepPlace = (subject: string, place: Place): void => {
    known.addPlace(placeKey(place.id, subject), place);
  };
  return {
    recallPlace: (id, subject) => {
      const place = known.place(placeKey(id, subject));
      if (place === undefined) known.checkRefused(placeKey(id, subject));
      return place;
    },
    askPlace: async (id, subject) => {
      const answer = await line.ask(requests.membership(id, subject));
      const versions = answer.status === "found" ? answer.value.filter((one) => one.subject === subject) : [];
      if (versions.length === 0) {
        throw known.refuse(
          placeKey(id, subject),
          new GatewayError("SCHEMA_UNKNOWN", {
            message: `Schema ${id} does not belong to the subject ${subject}`,
          }),
        );
      }
      const place = { id, version: Math.max(...versions.map(({ version }) => version)) };
      keepPlace(subject, place);
      return place;
    },
    keepPlace,
  };
};

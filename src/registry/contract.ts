/** The interface of the schema registry, as the gateway sees it: questions and their answers, known or asked for. */
import type { CompiledSchema, SchemaType } from "../formats/format.ts";

/** How a subject follows from a topic and a record name. */
export type SubjectStrategy = "topic-name" | "record-name" | "topic-record-name";

export type RecordPartName = "key" | "value";

/** A subject by its name, or by a strategy. */
export type SubjectChoice =
  | { readonly subject: string }
  | { readonly strategy: SubjectStrategy; readonly topic: string; readonly part: RecordPartName };

export type SchemaQuestion = { readonly of: SubjectChoice } & (
  | { readonly by: "latest" }
  | { readonly by: "version"; readonly version: number }
  /** The id must be one of the subject's ids. */
  | { readonly by: "id"; readonly id: number }
  /** `register`: true if the gateway may register a text that the registry does not have. */
  | { readonly by: "text"; readonly type: SchemaType; readonly text: string; readonly register: boolean }
);

/** A schema with its place in the registry. */
export interface RegisteredSchema {
  readonly id: number;
  readonly subject: string;
  readonly version: number;
  readonly schema: CompiledSchema;
}

/** The id of a record: a number, or the GUID of a record header in the usual text form. */
export type SchemaId = number | string;

export interface SchemaRegistry {
  /**
   * Answers at once if the answer is known; a promise means that the registry is asked. Throws or rejects with
   * REGISTRY_UNAVAILABLE, SCHEMA_UNKNOWN, SCHEMA_VERSION_UNKNOWN, SCHEMA_UNUSABLE, SCHEMA_REGISTRATION_REFUSED or
   * REGISTRY_FORBIDDEN.
   */
  find(question: SchemaQuestion): RegisteredSchema | Promise<RegisteredSchema>;
  /**
   * The schema of a record that is read. undefined: the registry has no such id. `subject`: a subject of the record's
   * station; it gives the context in which the id is looked up. Throws or rejects with REGISTRY_UNAVAILABLE, or with
   * SCHEMA_UNUSABLE.
   */
  schemaOf(id: SchemaId, subject?: string): CompiledSchema | undefined | Promise<CompiledSchema | undefined>;
  /** For a client that a reload has replaced: it still answers, but has no timers and writes no log lines. */
  retire(): void;
  /** Ends the requests in flight. */
  close(): Promise<void>;
}

/** A schema registry in memory, with schemas whose payloads can be read in a test: a letter and the compact JSON. */
import { GatewayError } from "../../src/errors.ts";
import { type CompiledSchema, DataRefused, type SchemaType, Undecodable } from "../../src/formats/format.ts";
import { parseJson } from "../../src/formats/json.ts";
import { framed } from "./registry/fake-schemas.ts";
import type { RegisteredSchema, SchemaQuestion, SchemaRegistry } from "../../src/registry/contract.ts";

export interface FakeRegistry extends SchemaRegistry {
  /** Questions that were asked, in order, without repetitions of known ones. */
  readonly asked: SchemaQuestion[];
  /** Adds a version with the next id to a subject. */
  add(subject: string, type: SchemaType, options?: { readonly id?: number; readonly name?: string }): number;
  /** Answers wait until the returned function is called. */
  hold(): () => void;
  /** Unknown questions are REGISTRY_UNAVAILABLE while it is true. */
  isDown: boolean;
}

/** Refuses objects with the member `bad`. A number n becomes 10n bytes longer. Protobuf has the messages `a.First` and `a.Second`. */
const fakeSchema = (type: SchemaType, name?: string): CompiledSchema => {
  const letter = type.charAt(0);
  const refuse = (json: Buffer): void => {
    const data = parseJson(json, { maxDepth: 20 });
    if (typeof data === "object" && data !== null && "bad" in data)
      throw new DataRefused(`${type.toLowerCase()}: '/bad': not allowed`);
  };
  const schema: CompiledSchema = {
    type,
    name,
    encode: (json, id, message = "a.First") => {
      refuse(json);
      const which = type === "PROTOBUF" ? message.slice(2) : "";
      const data = JSON.parse(json.toString()) as unknown;
      const growth = typeof data === "number" ? " ".repeat(10 * data) : "";
      return framed(id, letter + which + JSON.stringify(data) + growth);
    },
    decode: (payload) => {
      const json = payload.toString().replace(/^.(First|Second)?/, "");
      if (payload.toString("latin1", 0, 1) !== letter || !json.startsWith("{"))
        throw new Undecodable("the payload ends early");
      return Buffer.from(json);
    },
  };
  if (type !== "PROTOBUF") return schema;
  return {
    ...schema,
    declares: (message) => message === "a.First" || message === "a.Second",
    frame: (message, id, of = "a.First") => {
      refuse(message);
      return framed(id, letter + of.slice(2) + message.toString());
    },
  };
};

export const createFakeRegistry = (): FakeRegistry => {
  const subjects = new Map<string, RegisteredSchema[]>();
  const known = new Map<string, RegisteredSchema>();
  let gate = Promise.resolve();
  let ids = 0;

  const unknown = (message: string): GatewayError => new GatewayError("SCHEMA_UNKNOWN", { message });
  const answer = (question: SchemaQuestion): RegisteredSchema => {
    const { of } = question;
    const subject = "subject" in of ? of.subject : `${of.topic}-${of.part}`;
    const versions = subjects.get(subject) ?? [];
    if (question.by === "text" && question.text === "register" && question.register) {
      fake.add(subject, question.type);
      return versions.at(-1) ?? answer({ of, by: "latest" });
    }
    const found = versions.find(({ id, version, schema }) => {
      if (question.by === "id") return id === question.id;
      if (question.by === "version") return version === question.version;
      return question.by === "text" && schema.name === question.text;
    });
    const latest = question.by === "latest" ? versions.at(-1) : found;
    if (latest !== undefined) return latest;
    if (question.by === "version")
      throw new GatewayError("SCHEMA_VERSION_UNKNOWN", {
        message: `no version ${question.version} of ${subject}`,
      });
    throw unknown(`${subject} has no ${question.by === "id" ? `id ${question.id}` : question.by}`);
  };

  const fake: FakeRegistry = {
    asked: [],
    isDown: false,
    add: (subject, type, { id = ++ids, name } = {}) => {
      const versions = subjects.get(subject) ?? [];
      versions.push({ id, subject, version: versions.length + 1, schema: fakeSchema(type, name) });
      subjects.set(subject, versions);
      return id;
    },
    hold: () => {
      let open = (): void => undefined;
      gate = new Promise((resolve) => {
        open = resolve;
      });
      return open;
    },
    find: (question) => {
      const text = JSON.stringify(question);
      const found = known.get(text);
      if (found !== undefined) return found;
      fake.asked.push(question);
      if (fake.isDown) throw new GatewayError("REGISTRY_UNAVAILABLE");
      return gate.then(() => {
        const schema = answer(question);
        known.set(text, schema);
        return schema;
      });
    },
    schemaOf: (id) => [...subjects.values()].flat().find((schema) => schema.id === id)?.schema,
    retire: () => undefined,
    close: () => Promise.resolve(),
  };
  return fake;
};

/** A station's schema in the schema registry: finds it, and tells the operator once while it can't be used. */
import { readFile } from "node:fs/promises";
import { GatewayError } from "../../errors.ts";
import type { SchemaType } from "../../formats/format.ts";
import type { RegisteredSchema, SchemaQuestion } from "../../registry/contract.ts";
import { type Asked, settled } from "./registry-lookup.ts";
import {
  type FoundSchema,
  type RegistryContext,
  type RegistryDeclaration,
  type RegistryValidator,
  schemaUnusable,
} from "./validator.ts";

const TYPES = { avro: "AVRO", json: "JSONSCHEMA", protobuf: "PROTOBUF" } as const satisfies Record<
  string,
  SchemaType
>;

/** Reads the file of the schema. Does not ask the registry. Rejects with SETTINGS_INVALID. */
export const loadRegistrySchema = async (
  declaration: RegistryDeclaration,
  context: RegistryContext,
): Promise<RegistryValidator> => {
  const { subject = `${context.topic}-value`, format, message } = declaration;
  const find = finderOf(await questionOf(declaration, subject, context), context);
  const wanted: Wanted = { subject, type: format && TYPES[format], message };
  return {
    kind: "registry",
    subject,
    message,
    hasPointer: context.hasPointer,
    current: currentOf(find, wanted, context),
  };
};

const questionOf = async (
  { format, version, file, autoRegister: register }: RegistryDeclaration,
  subject: string,
  context: RegistryContext,
): Promise<SchemaQuestion> => {
  const of = { subject };
  if (file !== undefined && format !== undefined)
    return { of, by: "text", type: TYPES[format], text: await textOf(file, context), register };
  return version === "latest" ? { of, by: "latest" } : { of, by: "version", version };
};

const textOf = async (file: string, context: RegistryContext): Promise<string> => {
  try {
    return await readFile(file, "utf8");
  } catch (error) {
    throw schemaUnusable(context, file, error);
  }
};

type Find = () => Asked;

const finderOf =
  (question: SchemaQuestion, { registry }: RegistryContext): Find =>
  () =>
    settled(() => registry?.find(question) ?? new GatewayError("REGISTRY_UNAVAILABLE"));

interface Wanted {
  readonly subject: string;
  readonly type: SchemaType | undefined;
  readonly message: string | undefined;
}

/** Every fault is REGISTRY_UNAVAILABLE for the client, because the event is not wrong and can be sent again. */
const currentOf = (find: Find, wanted: Wanted, { station, onFault }: RegistryContext): Find => {
  let isTold = false;
  const checked = (found: FoundSchema): FoundSchema => {
    if (found instanceof GatewayError && found.code === "REGISTRY_UNAVAILABLE") return found;
    const reason = found instanceof GatewayError ? found.message : mismatch(found, wanted);
    if (reason === undefined) {
      isTold = false;
      return found;
    }
    if (!isTold) onFault?.({ station, subject: wanted.subject, reason });
    isTold = true;
    return new GatewayError("REGISTRY_UNAVAILABLE", {
      message: `The schema of station ${station} can't be used: ${reason}`,
      cause: found,
    });
  };
  return () => {
    const found = find();
    return found instanceof Promise ? found.then(checked) : checked(found);
  };
};

/** Why the station can't use the schema of the registry; undefined: it can. */
const mismatch = (
  { schema, id, version }: RegisteredSchema,
  { subject, type, message }: Wanted,
): string | undefined => {
  const which = `version ${version} of subject ${subject} (id ${id})`;
  if (type !== undefined && schema.type !== type)
    return `${which} has the format ${schema.type}, and the station's format is ${type}`;
  if (message !== undefined && schema.declares?.(message) !== true)
    return `${which} does not declare the message ${message}`;
  return undefined;
};

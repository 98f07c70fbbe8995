/** Protobuf schemas as protobufjs reads them: the text of a .proto file, or a FileDescriptorProto in base64. */
import { createRequire } from "node:module";
import protobuf, { Enum, Field, type INamespace, type ReflectionObject, Root, Type } from "protobufjs";
import descriptor from "protobufjs/ext/descriptor.js";
import { type SchemaSource, SchemaUnusable } from "../format.ts";
import { createParserBudget, type ParserBudget, sizesOfDescriptor, sizesOfText } from "./parser-budget.ts";

/** The declarations of one file. */
interface ProtoFile {
  readonly package: string;
  readonly imports: readonly string[];
  /** The objects on the first level, in the order of the file. */
  readonly objects: readonly ReflectionObject[];
}

/** A file with everything that it imports. */
export interface Linked {
  readonly root: Root;
  /** The messages on the first level of the file, in its order. */
  readonly messages: readonly Type[];
  /** The types of Google's files, whose JSON has a form of its own. */
  readonly wellKnown: ReadonlySet<ReflectionObject>;
}

const DESCRIPTOR = "google/protobuf/descriptor.proto";

/** Files that a schema may import without a reference. Clients of Confluent import the last two. */
const KNOWN_TEXTS: ReadonlyMap<string, string> = new Map([
  ["confluent/meta.proto", 'syntax = "proto3"; package confluent;'],
  [
    "confluent/type/decimal.proto",
    'syntax = "proto3"; package confluent.type; message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }',
  ],
]);

const require = createRequire(import.meta.url);

/** The definition of a file of Google; undefined: the file is not known. */
const knownJson = (name: string): INamespace | undefined => {
  if (name === DESCRIPTOR) return require("protobufjs/google/protobuf/descriptor.json") as INamespace;
  return Object.hasOwn(protobuf.common, name) ? (protobuf.common.get(name) ?? undefined) : undefined;
};

/** Links a schema with its references and the known files. Reads no files. Throws SchemaUnusable. */
export const linkProto = ({ text, references }: SchemaSource): Linked => {
  const root = new Root();
  const wellKnown = new Set<ReflectionObject>();
  const names = new Set(references.map(({ name }) => name));
  const known = new Set<string>();
  const budget = createParserBudget();
  const link = (source: string, what: string): readonly ReflectionObject[] => {
    const file = usable(what, () => parseFile(source, budget));
    for (const name of file.imports) {
      if (names.has(name) || known.has(name)) continue;
      known.add(name);
      addKnown(root, name, wellKnown);
    }
    usable(what, () => {
      addTo(root, file);
    });
    return file.objects;
  };
  for (const reference of references) {
    if (knownJson(reference.name) === undefined && !KNOWN_TEXTS.has(reference.name)) {
      link(reference.text, `the reference ${reference.name}: `);
    } else {
      // The gateway's own definition of a known file counts, because it knows the JSON form of these types.
      names.delete(reference.name);
    }
  }
  const messages = link(text, "").filter((object) => object instanceof Type);
  usable("", () => root.resolveAll());
  return { root, messages, wellKnown };
};

/**
 * Loads a .proto file of the operator, and the files that it imports. Throws errors of protobufjs and of the file system,
 * because `load` throws some errors outside of its promise.
 */
export const loadProto = (file: string): Omit<Linked, "messages"> => {
  const root = new Root().loadSync(file, { keepCase: true });
  const known = root.files.flatMap((name) => Object.keys(googleIn(knownJson(name))));
  const types = known.map((name) => root.lookup(`google.protobuf.${name}`));
  return { root, wellKnown: new Set(types.filter((type) => type !== null)) };
};

/** The declarations of a file of Google, by their names in `google.protobuf`. */
const googleIn = (json: INamespace | undefined): Readonly<Record<string, unknown>> => {
  const google = json?.nested?.["google"] as INamespace | undefined;
  return (google?.nested?.["protobuf"] as INamespace | undefined)?.nested ?? {};
};

const usable = <T>(what: string, work: () => T): T => {
  try {
    return work();
  } catch (error) {
    if (error instanceof SchemaUnusable) throw error;
    throw new SchemaUnusable(`${what}${reasonOf(error as Error)}`);
  }
};

const reasonOf = (error: Error): string => {
  if (!(error instanceof RangeError)) return error.message.replaceAll(/\s+/g, " ");
  const isDeep = error.message.includes("call stack");
  return isDeep ? "it is nested too deep" : "it is neither a .proto file nor a FileDescriptorProto in base64";
};

const addTo = (root: Root, file: ProtoFile): void => {
  const namespace = file.package === "" ? root : root.define(file.package);
  for (const object of file.objects) namespace.add(object);
};

const addKnown = (root: Root, name: string, wellKnown: Set<ReflectionObject>): void => {
  const text = KNOWN_TEXTS.get(name);
  if (text !== undefined) {
    addTo(root, parseText(text));
    return;
  }
  const json = knownJson(name);
  if (json === undefined) {
    throw new SchemaUnusable(`its import "${name}" is neither a reference nor a well-known file`);
  }
  const google = new Root().addJSON(json.nested ?? {});
  const types = (google.lookup("google.protobuf") as protobuf.Namespace).nestedArray;
  for (const type of types) wellKnown.add(type);
  addTo(root, { package: "google.protobuf", imports: [], objects: types });
};

/** Base64 has none of the characters that every declaration needs. */
const parseFile = (source: string, budget: ParserBudget): ProtoFile => {
  if (/^[A-Za-z0-9+/\s]+={0,2}\s*$/.test(source)) return parseDescriptor(source, budget);
  budget.spend(sizesOfText(source));
  return parseText(source);
};

/** protobufjs leaves declarations of this name out. */
const PROTO_NAME = "__proto__";
const unsafeName = (): SchemaUnusable => new SchemaUnusable(`the name ${PROTO_NAME} can't be used`);

const parseText = (text: string): ProtoFile => {
  if (text.includes(PROTO_NAME)) throw unsafeName();
  const own = new Root();
  const parsed = protobuf.parse(text, own, { keepCase: true });
  const name = parsed.package ?? "";
  const scope = name === "" ? own : own.define(name);
  return {
    package: name,
    imports: [...(parsed.imports ?? []), ...(parsed.weakImports ?? [])],
    objects: [...scope.nestedArray],
  };
};

/** The members of a FileDescriptorProto that count here. */
interface FileDescriptor {
  readonly package?: string;
  readonly dependency?: readonly string[];
  readonly syntax?: string;
  readonly edition?: number;
  readonly messageType?: readonly descriptor.IDescriptorProto[];
  readonly enumType?: readonly descriptor.IEnumDescriptorProto[];
  readonly extension?: readonly descriptor.IFieldDescriptorProto[];
}

const parseDescriptor = (base64: string, budget: ParserBudget): ProtoFile => {
  const bytes = Buffer.from(base64, "base64");
  if (bytes.includes(PROTO_NAME)) throw unsafeName();
  const file = descriptor.FileDescriptorProto.decode(bytes) as FileDescriptor;
  budget.spend(sizesOfDescriptor(file.messageType ?? []));
  const context = { edition: editionOf(file), keepCase: true };
  return {
    package: file.package ?? "",
    imports: file.dependency ?? [],
    objects: [
      ...(file.messageType ?? []).map((type) => Type.fromDescriptor(type, context)),
      ...(file.enumType ?? []).map((type) => Enum.fromDescriptor(type, context)),
      ...(file.extension ?? []).map((field) => Field.fromDescriptor(field, context)),
    ],
  };
};

/** The editions by their numbers in `descriptor.proto`. */
const EDITIONS: ReadonlyMap<number | undefined, string> = new Map([
  [1000, "2023"],
  [1001, "2024"],
]);

const editionOf = ({ syntax, edition }: FileDescriptor): string => {
  if (syntax !== "editions") return syntax === "proto3" ? "proto3" : "proto2";
  const name = EDITIONS.get(edition);
  if (name === undefined) throw new SchemaUnusable(`its edition ${String(edition)} is not supported`);
  return name;
};

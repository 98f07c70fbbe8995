/** Reads settings files and secret files, and checks the paths of other files. */
import { accessSync, constants, readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { LineCounter, parseDocument } from "yaml";
import { type Digests, digestOf } from "../lib/file-watch/file-watch.ts";
import { errnoOf } from "../lib/file-system.ts";
import type { Fault } from "./faults.ts";
import { settingsSchema } from "./schema/schema.ts";
import { protoImports } from "../lib/proto-imports.ts";
import { groupOf, infoOf, isObject, itemOf, mapTree, type Path } from "./tree.ts";

interface Read {
  readonly tree: unknown;
  readonly faults: readonly Fault[];
}

/** Reads files, and keeps a digest of each content, so that a later change can be recognised. */
export interface FileReader {
  /** Throws node's error. */
  text(path: string): string;
  /** Notes a file that another part of the program reads, and the files that a .proto file imports. */
  note(path: string): void;
  /** A text that is another one if the content of a noted file, or of an import of it, is another one. */
  identityOf(path: string): string;
  readonly digests: Digests;
}

export const createFileReader = (): FileReader => {
  const digests = new Map<string, string | undefined>();
  const imports = new Map<string, readonly string[]>();

  const text = (path: string): string => {
    digests.set(path, undefined);
    const content = readFileSync(path);
    digests.set(path, digestOf(content));
    return content.toString();
  };
  const note = (path: string): void => {
    if (digests.has(path)) return;
    digests.set(path, undefined);
    if (!isReadableFile(path)) return;
    const content = text(path);
    if (!path.endsWith(".proto")) return;
    // A missing import is noted too, because the file can arrive later. The program has some of its own, such as
    // google/protobuf/timestamp.proto.
    const named = protoImports(content).map((name) => resolve(dirname(path), name));
    imports.set(path, named);
    named.forEach(note);
  };
  const withImports = (path: string, seen = new Set<string>()): ReadonlySet<string> => {
    if (seen.has(path)) return seen;
    seen.add(path);
    for (const other of imports.get(path) ?? []) withImports(other, seen);
    return seen;
  };

  return {
    text,
    note,
    identityOf: (path) =>
      [path, ...[...withImports(path)].map((each) => digests.get(each) ?? "unreadable")].join(" "),
    digests,
  };
};

const reasonOf = (error: unknown): string => errnoOf(error) ?? "unreadable";

/** A key without a value counts as not set. */
const withoutNulls = (tree: unknown): unknown => {
  if (Array.isArray(tree)) return tree.map(withoutNulls);
  if (!isObject(tree)) return tree;
  const given = Object.entries(tree).filter(([, value]) => value !== null);
  return Object.fromEntries(given.map(([name, value]) => [name, withoutNulls(value)]));
};

const parseYaml = (name: string, text: string): Read => {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  // The parser's message can quote the line, and with it a secret. Its code is safe.
  const faults = document.errors.map(({ code, pos }) => ({
    path: [name],
    text: `line ${lines.linePos(pos[0]).line} is not YAML: ${code.toLowerCase().replaceAll("_", " ")}`,
  }));
  if (faults.length > 0) return { tree: {}, faults };
  try {
    const tree: unknown = document.toJS();
    if (tree === null || isObject(tree)) return { tree: withoutNulls(tree ?? {}), faults: [] };
  } catch {
    return {
      tree: {},
      faults: [{ path: [name], text: "has an alias without an anchor, or too many aliases" }],
    };
  }
  return { tree: {}, faults: [{ path: [name], text: "is not an object of settings" }] };
};

/** Reads a settings file. Its faults have `name` as their path. */
export const readSettingsFile = (path: string, name: string, reader: FileReader): Read => {
  try {
    return parseYaml(name, reader.text(path));
  } catch (error) {
    return { tree: {}, faults: [{ path: [name], text: `cannot be read (${reasonOf(error)})` }] };
  }
};

/** The secret in a file, without the line breaks at its end; if `isList`, one secret per line. */
const secretIn = (content: string, isList: boolean): unknown => {
  const text = content.replace(/[\r\n]+$/, "");
  return isList ? text.split(/\r?\n/) : text;
};

/**
 * Reads the secret for the setting `name` from the file whose path is in the setting `<name>File`. Returns the group with the
 * secret instead of the path; after a fault the group without the path, and the text of the fault.
 */
const withSecret = (
  group: Readonly<Record<string, unknown>>,
  name: string,
  isList: boolean,
  readText: (path: string) => string,
) => {
  const { [`${name}File`]: file, ...rest } = group;
  if (Object.hasOwn(rest, name))
    return { group: rest, fault: `is set in addition to ${name}File, allowed: one of them` };
  if (typeof file !== "string")
    return { group: rest, fault: `got no path in ${name}File, allowed: the path of a readable file` };
  try {
    return { group: { ...rest, [name]: secretIn(readText(file), isList) }, fault: undefined };
  } catch (error) {
    const fault = `got ${name}File ${JSON.stringify(file)}, which cannot be read (${reasonOf(error)})`;
    return { group: rest, fault, isUnreadable: true };
  }
};

/** Replaces `…File` keys with the secrets in these files. Relative paths start from `base`. */
export const readSecretFiles = (tree: unknown, base: string, reader: FileReader): Read => {
  const faults: Fault[] = [];
  const readText = (path: string): string => reader.text(resolve(base, path));
  const read = mapTree(settingsSchema, tree, (value, schema, path) => {
    if (!isObject(value)) return value;
    let group = value;
    for (const [name, inner] of Object.entries(groupOf(schema, value) ?? {})) {
      if (infoOf(inner)?.secret !== true || !Object.hasOwn(value, `${name}File`)) continue;
      const taken = withSecret(group, name, itemOf(inner) !== undefined, readText);
      group = taken.group;
      const { fault: text, isUnreadable = false } = taken;
      if (text !== undefined) faults.push({ path: [...path, name], text, isUnreadable });
    }
    return group;
  });
  return { tree: read, faults };
};

/** Makes all paths absolute, from `base`. */
export const resolvePaths = (tree: unknown, base: string): unknown =>
  mapTree(settingsSchema, tree, (value, schema) =>
    infoOf(schema)?.path !== undefined && typeof value === "string" && value !== ""
      ? resolve(base, value)
      : value,
  );

export const isReadableFile = (path: string): boolean => {
  try {
    accessSync(path, constants.R_OK);
    return statSync(path).isFile();
  } catch {
    return false;
  }
};

/** Calls `change` for each path of a file in the tree, and returns the tree with its results. */
export const mapFiles = (tree: unknown, change: (file: string, path: Path) => string): unknown =>
  mapTree(settingsSchema, tree, (value, schema, path) =>
    infoOf(schema)?.path === "file" && typeof value === "string" && value !== ""
      ? change(value, path)
      : value,
  );

/** A fault for each named file that can't be read. Notes the contents of the others. */
export const unreadableFiles = (tree: unknown, reader: FileReader): readonly Fault[] => {
  const faults: Fault[] = [];
  mapFiles(tree, (file, path) => {
    reader.note(file);
    if (!isReadableFile(file))
      faults.push({
        path,
        text: `got ${JSON.stringify(file)}, which is not a readable file`,
        isUnreadable: true,
      });
    return file;
  });
  return faults;
};

/** Finds out whether a schema is the same as before, so that it is not compiled again. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { digestOf } from "../../lib/file-watch/file-watch.ts";
import { errnoOf } from "../../lib/file-system.ts";
import { protoImports } from "../../lib/proto-imports.ts";
import { createSemaphore } from "../../lib/semaphore.ts";
import type { SchemaDeclaration, ValidatorContext } from "./validator.ts";

type Read = (file: string) => Promise<Buffer>;

/** A process can have 1,024 open files by default, and thousands of stations are loaded at once. */
const reads = createSemaphore({ permits: 16, maxWaiting: Infinity });

const readInTurn: Read = async (file) => (await reads.tryRun(() => readFile(file))) as Buffer;

/**
 * Equal texts mean equal validators: the declaration, the limits and the contents of the files are the same. undefined: the
 * schema is of the registry, and nothing is compiled; or a file can't be read, and its content is unknown. Never rejects.
 */
export const identityOf = async (
  declaration: SchemaDeclaration,
  { station, limits }: ValidatorContext,
  read: Read = readInTurn,
): Promise<string | undefined> => {
  if (declaration.type === "registry") return undefined;
  const digests = await digestsOf(declaration.type === "zod" ? declaration.module : declaration.file, {
    isProto: declaration.type === "protobuf",
    read,
  });
  return digests === undefined ? undefined : JSON.stringify([declaration, station, limits, digests]);
};

/**
 * The digest of the file, and of each file that a .proto file imports, at any depth. A missing import counts as a content,
 * because the program itself has some imports, such as google/protobuf/timestamp.proto. undefined: another file can't be read.
 */
const digestsOf = async (
  file: string,
  { isProto, read }: { readonly isProto: boolean; readonly read: Read },
) => {
  const digests = new Map<string, string | undefined>();
  const unknown: string[] = [];
  const contentOf = async (place: string, isImport: boolean): Promise<Buffer | undefined> => {
    try {
      return await read(place);
    } catch (error) {
      if (!isImport || errnoOf(error) !== "ENOENT") unknown.push(place);
      return undefined;
    }
  };
  const add = async (place: string, isImport: boolean): Promise<void> => {
    if (digests.has(place)) return;
    digests.set(place, undefined);
    const content = await contentOf(place, isImport);
    if (content === undefined) return;
    digests.set(place, digestOf(content));
    if (!isProto) return;
    const imports = protoImports(content.toString());
    await Promise.all(imports.map((name) => add(path.resolve(path.dirname(place), name), true)));
  };
  await add(path.resolve(file), false);
  return unknown.length > 0 ? undefined : [...digests].sort(([one], [other]) => (one < other ? -1 : 1));
};

/** Tells whether a schema is the same as before, so that it is not compiled again. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { digestOf } from "../../lib/file-watch/file-watch.ts";
import { protoImports } from "../../lib/proto-imports.ts";
import type { SchemaDeclaration, ValidatorContext } from "./validator.ts";

/**
 * Equal texts mean equal validators: the declaration, the limits and the contents of the files are the same. undefined: the
 * schema is of the registry, and nothing is compiled. Never rejects; a missing file counts as a content.
 */
export const identityOf = async (
  declaration: SchemaDeclaration,
  { station, limits }: ValidatorContext,
): Promise<string | undefined> => {
  if (declaration.type === "registry") return undefined;
  const digests = await digestsOf(declaration.type === "zod" ? declaration.module : declaration.file, {
    isProto: declaration.type === "protobuf",
  });
  return JSON.stringify([declaration, station, limits, digests]);
};

/** The digest of the file, and of each file that a .proto file imports, at any depth. */
const digestsOf = async (file: string, { isProto }: { readonly isProto: boolean }) => {
  const digests = new Map<string, string | undefined>();
  const add = async (place: string): Promise<void> => {
    if (digests.has(place)) return;
    digests.set(place, undefined);
    const content = await readFile(place).catch(() => undefined);
    if (content === undefined) return;
    digests.set(place, digestOf(content));
    if (!isProto) return;
    const imports = protoImports(content.toString());
    await Promise.all(imports.map((name) => add(path.resolve(path.dirname(place), name))));
  };
  await add(path.resolve(file));
  return [...digests].sort(([one], [other]) => (one < other ? -1 : 1));
};

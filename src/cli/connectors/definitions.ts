/** Connectors' definitions from a file, as JSON or YAML. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { text } from "node:stream/consumers";
import { parse } from "yaml";
import { z } from "zod";
import { errnoOf } from "../../lib/errno.ts";
import { CommandFailure } from "../exits.ts";
import type { Shell } from "../shell.ts";

const definitionShape = z.looseObject({ name: z.string().min(1), config: z.record(z.string(), z.unknown()) });

export type Definition = z.output<typeof definitionShape>;

const definitionsShape = z.union([
  z.array(definitionShape).min(1),
  definitionShape.transform((definition) => [definition]),
  // As in the gateway's own settings file.
  z.looseObject({ connectors: z.array(definitionShape).min(1) }).transform(({ connectors }) => connectors),
]);

const textOf = async (shell: Shell, file: string): Promise<string> => {
  if (file === "-") return text(shell.stdin);
  try {
    return await readFile(resolve(shell.cwd, file), "utf8");
  } catch (error) {
    throw new CommandFailure("usage", `${file} can't be read (${errnoOf(error) ?? "unreadable"})`, error);
  }
};

/** Throws "usage" for a file that holds none. What a parser says of it is left out: it may quote a secret. */
export const readDefinitions = async (shell: Shell, file: string): Promise<readonly Definition[]> => {
  const content = await textOf(shell, file);
  try {
    return definitionsShape.parse(parse(content));
  } catch {
    throw new CommandFailure(
      "usage",
      `${file} holds no {"name", "config"}, nor a list of them, as JSON or YAML`,
    );
  }
};

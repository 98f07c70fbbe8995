/** Connectors in files (definitions), in the gateway's answers (states), and as a table for people. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { text } from "node:stream/consumers";
import { parse } from "yaml";
import { z } from "zod";
import { errnoOf } from "../../../lib/file-system.ts";
import { CommandFailure, type Shell } from "../../shell.ts";

const definitionShape = z.looseObject({ name: z.string().min(1), config: z.record(z.string(), z.unknown()) });

type Definition = z.output<typeof definitionShape>;

const definitionsShape = z.union([
  z.array(definitionShape).min(1),
  definitionShape.transform((definition) => [definition]),
  // A settings file of the gateway.
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

/** Throws "usage" if the file has no definitions. The parser's own message is left out, because it can quote a secret. */
export const readDefinitions = async (shell: Shell, file: string): Promise<readonly Definition[]> => {
  const content = await textOf(shell, file);
  try {
    return definitionsShape.parse(parse(content));
  } catch {
    throw new CommandFailure(
      "usage",
      `${file} must be a JSON or YAML file with {"name", "config"} or a list of such objects`,
    );
  }
};

export const statusShape = z.looseObject({
  name: z.string(),
  connector: z.looseObject({ state: z.string() }),
  tasks: z.array(z.looseObject({ id: z.number(), state: z.string(), trace: z.string().optional() })),
});

type Status = z.output<typeof statusShape>;

export const statusesShape = z.record(z.string(), z.object({ status: statusShape }));

export const infoShape = z.looseObject({ name: z.string(), config: z.record(z.string(), z.string()) });

export const deadLettersShape = z.object({ topic: z.string(), records: z.number(), replaying: z.boolean() });

/** FAILED if a task has failed, otherwise the state of the connector. */
const stateOf = ({ connector, tasks }: Status): string =>
  tasks.some(({ state }) => state === "FAILED") ? "FAILED" : connector.state;

const firstLine = (text: string): string => text.split("\n", 1)[0] ?? "";

/** Name and state in columns. The reason of a failed connector is in the line below it. */
export const statusTable = (statuses: readonly Status[]): readonly string[] => {
  const width = Math.max(0, ...statuses.map(({ name }) => name.length));
  return statuses.flatMap((status) => {
    const trace = status.tasks.find((task) => task.trace !== undefined)?.trace;
    const line = `${status.name.padEnd(width)}  ${stateOf(status)}`;
    return trace === undefined ? [line] : [line, `  ${firstLine(trace)}`];
  });
};

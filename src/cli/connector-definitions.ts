/** Connectors' definitions from a file, as JSON or YAML. */
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { parse } from "yaml";
import { z } from "zod";
import { errnoOf } from "../lib/file-system.ts";
import { type Client, demand, parsed } from "./client.ts";
import { CommandFailure, type Exit, type Shell } from "./shell.ts";

const definitionShape = z.looseObject({ name: z.string().min(1), config: z.record(z.string(), z.unknown()) });

type Definition = z.output<typeof definitionShape>;

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

/** Connectors as the gateway shows them, and as people read them. */

export const statusShape = z.looseObject({
  name: z.string(),
  connector: z.looseObject({ state: z.string() }),
  tasks: z.array(z.looseObject({ id: z.number(), state: z.string(), trace: z.string().optional() })),
});

type Status = z.output<typeof statusShape>;

export const statusesShape = z.record(z.string(), z.object({ status: statusShape }));

export const infoShape = z.looseObject({ name: z.string(), config: z.record(z.string(), z.string()) });

const deadLettersShape = z.object({ topic: z.string(), records: z.number(), replaying: z.boolean() });

type DeadLetters = z.output<typeof deadLettersShape>;

/** A task's state is the connector's own unless it has failed. */
const stateOf = ({ connector, tasks }: Status): string =>
  tasks.some(({ state }) => state === "FAILED") ? "FAILED" : connector.state;

const firstLine = (text: string): string => text.split("\n", 1)[0] ?? "";

/** Name and state in columns; a failed one has its reason beneath. */
export const statusTable = (statuses: readonly Status[]): readonly string[] => {
  const width = Math.max(0, ...statuses.map(({ name }) => name.length));
  return statuses.flatMap((status) => {
    const trace = status.tasks.find((task) => task.trace !== undefined)?.trace;
    const line = `${status.name.padEnd(width)}  ${stateOf(status)}`;
    return trace === undefined ? [line] : [line, `  ${firstLine(trace)}`];
  });
};

/** Dead letters sent once more, and watched until none is left. */

interface ReplayOptions {
  readonly json?: boolean;
  readonly wait?: boolean;
}

/** Milliseconds between two looks. */
const LOOK_EVERY = 250;

export const replay = async (
  shell: Shell,
  client: Client,
  path: string,
  { json = false, wait = false }: ReplayOptions,
): Promise<Exit> => {
  const interruption = shell.interruption();
  let letters = parsed(deadLettersShape, await demand(client, { method: "POST", path: `${path}/replay` }));
  const total = letters.records;
  let told = letters.records;
  while (wait && letters.replaying && !interruption.aborted) {
    await sleep(LOOK_EVERY, undefined, { signal: interruption }).catch(() => undefined);
    letters = parsed(deadLettersShape, await demand(client, { method: "GET", path }));
    if (letters.records !== told) shell.note(`${total - letters.records} of ${total} dealt with`);
    told = letters.records;
  }
  await shell.out(json ? JSON.stringify({ ...letters, total }) : inWords(letters, total));
  if (interruption.aborted && letters.replaying) return "interrupted";
  return wait && letters.records > 0 ? "failed" : "ok";
};

const inWords = ({ topic, records, replaying }: DeadLetters, total: number): string => {
  if (total === 0) return `no dead letters in ${topic}`;
  if (replaying) return `replaying ${records} dead letters of ${topic}`;
  return `${total - records} of ${total} dead letters of ${topic} are dealt with`;
};

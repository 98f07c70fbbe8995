/** `stationgate connectors …`: manages connectors through the operators' listener. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import type { z } from "zod";
import { createClient, demand, parsedAnswer, type Call } from "../../client.ts";
import { adminConnection } from "../../connection.ts";
import { actionOf, withExamples, type Context, type GlobalOptions } from "../../define-command.ts";
import { asFailure, CommandFailure, type Exit } from "../../shell.ts";
import {
  deadLettersShape,
  infoShape,
  readDefinitions,
  statusesShape,
  statusShape,
  statusTable,
} from "./shapes.ts";

const pathOf = (name: string, rest = ""): string => `/connectors/${encodeURIComponent(name)}${rest}`;

type Add = (group: Command, context: Context) => Command;

const clientFor = ({ shell }: Context, options: GlobalOptions) =>
  createClient(adminConnection(shell, options));

const addList: Add = (group, context) =>
  group
    .command("list")
    .description("List the connectors with their states.")
    .action(
      actionOf(context, async (_args, options: GlobalOptions) => {
        const client = clientFor(context, options);
        const answer = await demand(client, { method: "GET", path: "/connectors?expand=status" });
        const statuses = Object.values(parsedAnswer(statusesShape, answer)).map(({ status }) => status);
        if (options.json === true) await context.shell.out(JSON.stringify(statuses));
        else for (const line of statusTable(statuses)) await context.shell.out(line);
        return "ok";
      }),
    );

const addShow: Add = (group, context) =>
  group
    .command("show")
    .description("Show the configuration of a connector with masked secrets.")
    .argument("<name>", "the connector's name")
    .action(
      actionOf(context, async ([name = ""], options: GlobalOptions) => {
        const answer = await demand(clientFor(context, options), { method: "GET", path: pathOf(name) });
        const info = parsedAnswer(infoShape, answer);
        if (options.json === true) await context.shell.out(JSON.stringify(info));
        else
          for (const [key, value] of Object.entries(info.config)) await context.shell.out(`${key}: ${value}`);
        return "ok";
      }),
    );

const addStatus: Add = (group, context) =>
  group
    .command("status")
    .description("Show the state of a connector. The exit code is 1 if a task has failed.")
    .argument("<name>", "the connector's name")
    .action(
      actionOf(context, async ([name = ""], options: GlobalOptions) => {
        const answer = await demand(clientFor(context, options), {
          method: "GET",
          path: pathOf(name, "/status"),
        });
        const status = parsedAnswer(statusShape, answer);
        if (options.json === true) await context.shell.out(JSON.stringify(status));
        else for (const line of statusTable([status])) await context.shell.out(line);
        return status.tasks.some(({ state }) => state === "FAILED") ? "failed" : "ok";
      }),
    );

/** Sends one request for each definition of a file. A refused definition doesn't stop the others. */
const addFromFile = (
  name: "create" | "apply",
  description: string,
  callFor: (definition: { readonly name: string; readonly config: unknown }) => Call,
): Add => {
  const send = async (context: Context, file: string, options: GlobalOptions): Promise<Exit> => {
    const { shell } = context;
    const definitions = await readDefinitions(shell, file);
    const client = clientFor(context, options);
    const results: object[] = [];
    for (const definition of definitions) {
      const done = await demand(client, callFor(definition)).catch((error: unknown) => {
        const failure = asFailure(error);
        if (failure?.exit !== "failed") throw error;
        return failure;
      });
      const failed = done instanceof CommandFailure;
      const status = failed ? "refused" : done.status === 201 ? "created" : "changed";
      results.push({ name: definition.name, status, ...(failed && { error: done.message }) });
      if (failed) shell.note(`${definition.name}: ${done.message}`);
      else if (options.json !== true) await shell.out(`${definition.name}: ${status}`);
    }
    if (options.json === true) await shell.out(JSON.stringify(results));
    return results.some((result) => "error" in result) ? "failed" : "ok";
  };
  return (group, context) =>
    group
      .command(name)
      .description(description)
      .argument(
        "<file>",
        'JSON or YAML file with {"name","config"} or a list of such objects; - is standard input',
      )
      .action(actionOf(context, ([file = ""], options: GlobalOptions) => send(context, file, options)));
};

const addCreate = addFromFile(
  "create",
  "Create the connectors of a file. Existing connectors are refused.",
  (definition) => ({
    method: "POST",
    path: "/connectors",
    body: definition,
  }),
);

const addApply = addFromFile(
  "apply",
  "Create the connectors of a file, and update existing connectors.",
  (definition) => ({
    method: "PUT",
    path: pathOf(definition.name, "/config"),
    body: definition.config,
  }),
);

/** A command that sends one request and prints one word. */
const addOneCall = (
  [name, description, word]: readonly [string, string, string],
  method: Call["method"],
  rest: string,
): Add => {
  return (group, context) =>
    group
      .command(name)
      .description(description)
      .argument("<name>", "the connector's name")
      .action(
        actionOf(context, async ([connector = ""], options: GlobalOptions) => {
          await demand(clientFor(context, options), { method, path: pathOf(connector, rest) });
          const done = { name: connector, status: word };
          await context.shell.out(options.json === true ? JSON.stringify(done) : `${connector}: ${word}`);
          return "ok";
        }),
      );
};

interface ReplayOptions extends GlobalOptions {
  readonly wait?: boolean;
}

/** Milliseconds between two requests for the progress. */
const POLL_EVERY = 250;

/** Replays the dead letters. With `wait` it shows the progress until the replay ends; it fails if dead letters are left. */
const replay = async (context: Context, name: string, options: ReplayOptions): Promise<Exit> => {
  const { shell } = context;
  const { json = false, wait = false } = options;
  const client = clientFor(context, options);
  const path = pathOf(name, "/dead-letters");
  const interruption = shell.interruption();
  let letters = parsedAnswer(
    deadLettersShape,
    await demand(client, { method: "POST", path: `${path}/replay` }),
  );
  const total = letters.records;
  let shown = letters.records;
  while (wait && letters.replaying && !interruption.aborted) {
    await sleep(POLL_EVERY, undefined, { signal: interruption }).catch(() => undefined);
    letters = parsedAnswer(deadLettersShape, await demand(client, { method: "GET", path }));
    if (letters.records !== shown) shell.note(`${total - letters.records} of ${total} replayed`);
    shown = letters.records;
  }
  await shell.out(json ? JSON.stringify({ ...letters, total }) : inWords(letters, total));
  if (interruption.aborted && letters.replaying) return "interrupted";
  return wait && letters.records > 0 ? "failed" : "ok";
};

const inWords = ({ topic, records, replaying }: z.output<typeof deadLettersShape>, total: number): string => {
  if (total === 0) return `no dead letters in ${topic}`;
  if (replaying) return `replaying ${records} dead letters of ${topic}`;
  return `${total - records} of ${total} dead letters of ${topic} were replayed`;
};

const addReplay: Add = (group, context) =>
  group
    .command("replay")
    .description("Send the dead letters of a connector again.")
    .argument("<name>", "the connector's name")
    .option(
      "--wait",
      "wait until the replay ends, and show the progress; exit with 1 if dead letters are left",
    )
    .action(actionOf(context, ([name = ""], options: ReplayOptions) => replay(context, name, options)));

const COMMANDS: readonly Add[] = [
  addList,
  addShow,
  addStatus,
  addCreate,
  addApply,
  addOneCall(["delete", "Delete a connector. Its committed offsets are kept.", "deleted"], "DELETE", ""),
  addOneCall(
    ["pause", "Pause a connector. It sends no requests until it is resumed.", "paused"],
    "PUT",
    "/pause",
  ),
  addOneCall(["resume", "Resume a paused connector at the next record.", "resumed"], "PUT", "/resume"),
  addOneCall(["stop", "Stop a connector and release its partitions.", "stopped"], "PUT", "/stop"),
  addOneCall(
    ["restart", "Restart a connector, also after a failure.", "restarted"],
    "POST",
    "/restart?includeTasks=true",
  ),
  addReplay,
];

export const addConnectors = (program: Command, context: Context): void => {
  const group = program
    .command("connectors")
    .description("Manage connectors, which deliver events to URLs. Calls the operators' listener.");
  for (const add of COMMANDS) add(group, context);
  withExamples(group, [
    ["create or update from a file", "stationgate connectors apply connectors.yaml"],
    [
      "list failed connectors",
      "stationgate connectors list --json | jq -r '.[] | select(.tasks[].state == \"FAILED\").name'",
    ],
    ["send dead letters after the endpoint has recovered", "stationgate connectors replay crm --wait"],
  ]);
};

/** Generates the pages of the reference from the program. */
import type { Argument, Command, Option } from "commander";

interface OpenApi {
  readonly paths: Readonly<
    Record<
      string,
      Readonly<
        Record<
          string,
          {
            readonly tags: readonly [string];
            readonly summary: string;
            readonly security: readonly Readonly<Record<string, unknown>>[];
            readonly responses: Readonly<Record<string, unknown>>;
          }
        >
      >
    >
  >;
}

const PRINTED = "Printed by `npm run print`; a test keeps it true.";

const cell = (text: string): string => text.replaceAll("|", "\\|");

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => "---"), ...rows.map((row) => row.map(cell))]
    .map((row) => `| ${row.join(" | ")} |`)
    .join("\n");

const code = (text: string): string => `\`${text}\``;

/** Each route of a listener in one line. */
const routeTable = ({ paths }: OpenApi): string =>
  table(
    ["call", "what", "credential", "statuses"],
    Object.entries(paths).flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, { summary, security, responses }]) => [
        code(`${method.toUpperCase()} ${path}`),
        summary,
        security.map((scheme) => Object.keys(scheme).map(code).join()).join(", ") || "none",
        Object.keys(responses).join(" "),
      ]),
    ),
  );

export const httpPage = (clients: OpenApi, operators: OpenApi): string =>
  [
    "# HTTP",
    `${PRINTED} Bodies, parameters and what each status means are in \`openapi.json\` and \`openapi.operators.json\`, which the gateway serves at \`/openapi.json\` of each port, and as a page at \`/docs\`.`,
    "## Port 4444: clients",
    routeTable(clients),
    "## Port 4445: operators",
    routeTable(operators),
    "",
  ].join("\n\n");

/** The page of the metrics, from the text of a scrape. */
export const metricsPage = (scrape: string): string => {
  const helps = new Map(
    [...scrape.matchAll(/^# HELP (\S+) (.*)$/gm)].map(([, name = "", help = ""]) => [name, help]),
  );
  const metrics = [...scrape.matchAll(/^# TYPE (stationgate_\S+) (\S+)$/gm)];
  return [
    "# Metrics",
    `${PRINTED} \`GET /metrics\` on port 4445, without a credential. Times are in seconds. Beside these there are the usual \`process_*\` and \`nodejs_*\`. \`deploy/grafana/dashboard.json\` shows them, \`deploy/alerts.yml\` watches them.`,
    table(
      ["metric", "type", "meaning"],
      metrics.map(([, name = "", type = ""]) => [code(name), type, helps.get(name) ?? ""]),
    ),
    "",
  ].join("\n\n");
};

/** The page of the settings, from the text of `.env.example`. */
export const settingsPage = (envExample: string): string => {
  const entries = envExample.matchAll(/^# (.*)\n# {3}(.*)\n# (STATIONGATE_\w+)=(.*)$/gm);
  return [
    "# Settings",
    `${PRINTED} Each stands in the settings file at the place that its variable's name spells: \`STATIONGATE_SERVER_BODY_LIMIT\` is \`server.bodyLimit\`. \`stationgate.example.yaml\` shows the lists. A secret may be a file: \`…File\`, or the variable with \`_FILE\`.`,
    table(
      ["variable", "meaning", "allowed", "default"],
      [...entries].map(([, help = "", allowed = "", name = "", value = ""]) => [
        code(name),
        help,
        allowed,
        value === "" ? "" : code(value),
      ]),
    ),
    "",
  ].join("\n\n");
};

const optionRows = (options: readonly Option[]): string =>
  table(
    ["option", "meaning", "default"],
    options.map(({ flags, description, argChoices, defaultValue, defaultValueDescription }) => [
      code(flags),
      argChoices === undefined ? description : `${description}: ${argChoices.map(code).join(", ")}`,
      defaultValue === undefined ? "" : code(defaultValueDescription ?? String(defaultValue)),
    ]),
  );

const argumentLine = (argument: Argument): string => {
  const { description, required, argChoices } = argument;
  const name = required ? `<${argument.name()}>` : `[${argument.name()}]`;
  const choices = argChoices === undefined ? "" : `: ${argChoices.map(code).join(", ")}`;
  return `- ${code(name)}: ${description}${choices}`;
};

const commandParts = (command: Command, path: string): readonly string[] => {
  const help = command.createHelp();
  const inner = help.visibleCommands(command).filter((each) => each.name() !== "help");
  const options = help.visibleOptions(command).filter(({ long }) => long !== "--help");
  const own = [
    `## \`${path}\``,
    command.description(),
    ...(command.registeredArguments.length === 0
      ? []
      : [command.registeredArguments.map(argumentLine).join("\n")]),
    ...(options.length === 0 ? [] : [optionRows(options)]),
  ];
  return [...own, ...inner.flatMap((each) => commandParts(each, `${path} ${each.name()}`))];
};

type Exits = Readonly<Record<string, { readonly code: number; readonly meaning: string }>>;

/** The page of the command line, from the commands and the table of exit codes. */
export const cliPage = (program: Command, exits: Exits): string => {
  const [, , ...rest] = commandParts(program, program.name());
  return [
    "# The command line",
    `${PRINTED} [The guide](../guides/cli.md) says what one does with it. \`stationgate help COMMAND\` prints examples.`,
    "## Everywhere",
    ...rest,
    "## Exit codes",
    table(
      ["code", "meaning"],
      Object.values(exits).map((exit) => [String(exit.code), exit.meaning]),
    ),
    "",
  ].join("\n\n");
};

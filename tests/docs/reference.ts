/** The reference's pages, drawn from what the program says of itself. */

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

/** From the text of a scrape. */
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

/** From the text of `.env.example`. */
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

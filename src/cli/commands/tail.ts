/** `stationgate tail`: prints the events of a station as they arrive. */
import { randomUUID } from "node:crypto";
import { type Command, Option } from "commander";
import { z } from "zod";
import { pause, systemClock } from "../../lib/clock.ts";
import { retryAfterMs } from "../../lib/units.ts";
import { type Answer, type Client, createClient, parsedAnswer, requireGateway, refusal } from "../client.ts";
import { publicConnection } from "../connection.ts";
import {
  type Context,
  actionOf,
  type GlobalOptions,
  retryOption,
  wholeNumber,
  withExamples,
} from "../define-command.ts";
import { asFailure, CommandFailure, type Exit, type Shell } from "../shell.ts";

interface Options extends GlobalOptions {
  readonly from?: "earliest" | "latest";
  readonly limit?: number;
  readonly group?: string;
  readonly headers?: boolean;
  readonly retryFor: number;
}

const messagesShape = z.array(
  z.object({ message: z.string(), headers: z.record(z.string(), z.string().nullable()) }),
);
type Message = z.output<typeof messagesShape>[number];

const MAX_BATCH = 500;
const LONG_POLL_MS = 20_000;
/** The first poll is short: its answer shows that the consumer has joined its group. */
const FIRST_POLL_MS = 50;
const PAUSE = 1000;

/** Control characters, which a terminal would execute. Events are untrusted. */
const CONTROLS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

const harmless = (text: string): string =>
  text.replace(CONTROLS, (control) => `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`);

const written = (shell: Shell, { message, headers }: Message, options: Options): string => {
  if (options.json === true) return JSON.stringify({ message, headers });
  const shown =
    options.headers === true
      ? Object.entries(headers).map(([name, value]) => `${name}: ${value ?? ""}\n`)
      : [];
  const text = [...shown, indented(message)].join("");
  return shell.outIsTTY ? harmless(text) : text;
};

interface Following {
  readonly shell: Shell;
  readonly client: Client;
  readonly station: string;
  readonly options: Options;
  readonly interruption: AbortSignal;
}

/** The parameters of a poll. */
interface Wanted {
  readonly group: string;
  readonly from: "earliest" | "latest";
  readonly count: number;
  readonly waitMs: number;
}

const poll = ({ client, station, interruption }: Following, wanted: Wanted): Promise<Answer> =>
  client.call({
    method: "POST",
    path: `/stations/${encodeURIComponent(station)}/consume/batch`,
    body: {
      consumer_name: "stationgate-tail",
      consumer_group: wanted.group,
      batch_size: wanted.count,
      batch_max_wait_time_ms: wanted.waitMs,
      from: wanted.from,
    },
    signal: interruption,
    timeoutMs: wanted.waitMs + 60_000,
  });

/** Polls, and retries while the gateway is unavailable. Rejects with a refusal, or after `--retry-for`. */
const next = async (following: Following, wanted: Wanted): Promise<readonly Message[]> => {
  const { shell, interruption, options } = following;
  const giveUpAt = Date.now() + options.retryFor;
  let shown = "";
  for (;;) {
    let wait = PAUSE;
    const failure = await poll(following, wanted)
      .then((answer) => {
        if (answer.status === 200) return parsedAnswer(messagesShape, answer);
        wait = Math.max(wait, retryAfterMs(answer.headers.get("retry-after"), Date.now()));
        return refusal(answer);
      })
      .catch((error: unknown): CommandFailure => {
        const known = asFailure(error);
        if (known === undefined) throw error;
        return known;
      });
    if (!(failure instanceof CommandFailure)) return failure;
    const hopeless = failure.exit !== "unreachable" || Date.now() + wait > giveUpAt;
    if (hopeless) throw failure;
    if (failure.message !== shown) shell.note(`${failure.message}; trying again`);
    shown = failure.message;
    await pause(systemClock, wait, interruption);
  }
};

const follow = async (following: Following): Promise<void> => {
  const { shell, station, options, interruption } = following;
  const group = options.group ?? `tail-${randomUUID()}`;
  const from = options.from ?? (options.group === undefined ? "latest" : "earliest");
  let left = options.limit ?? Infinity;
  // The gateway waits until the batch is full. So a poll that waits asks for one event, and the next poll for all
  // available events.
  let ask = { count: MAX_BATCH, waitMs: FIRST_POLL_MS };
  for (let isFirst = true; left > 0 && !interruption.aborted; isFirst = false) {
    const count = Math.min(left, ask.count);
    const messages = await next(following, { group, from, waitMs: ask.waitMs, count });
    for (const message of messages) await shell.out(written(shell, message, options));
    left -= messages.length;
    if (isFirst && left > 0)
      shell.note(`Following ${station}${from === "latest" ? ", new events only" : ""}. Ctrl-C ends.`);
    ask = messages.length === 0 ? { count: 1, waitMs: LONG_POLL_MS } : { count: MAX_BATCH, waitMs: 0 };
  }
};

const tail = async (shell: Shell, station: string, options: Options): Promise<Exit> => {
  const client = createClient(await publicConnection(shell, options));
  const interruption = shell.interruption();
  await requireGateway(client);
  try {
    await follow({ shell, client, station, options, interruption });
  } catch (error) {
    // Ctrl-C is the normal end.
    if (asFailure(error)?.exit !== "interrupted") throw error;
  }
  return "ok";
};

export const addTail = (program: Command, context: Context): void => {
  const command = program
    .command("tail")
    .description(
      "Print the events of a station as they arrive, until Ctrl-C. The credential needs the permission to consume.",
    )
    .argument("<station>", "the station's name")
    .addOption(
      new Option("--from <position>", "start position (default: latest; with --group: earliest)").choices([
        "earliest",
        "latest",
      ]),
    )
    .option("--limit <n>", "exit after this number of events", wholeNumber)
    .option(
      "--group <name>",
      "continue at the offsets of this consumer group, and share the events with its other members",
    )
    .option("--headers", "print each event's headers before it")
    .addOption(retryOption("time to retry while the gateway is unavailable"))
    .action(actionOf(context, ([station = ""], options: Options) => tail(context.shell, station, options)));
  withExamples(command, [
    ["new events", "stationgate tail clicks"],
    ["the ten oldest events as JSON", "stationgate tail clicks --from earliest --limit 10 --json"],
    ["one field of each event", "stationgate tail orders --json | jq -r '.message | fromjson | .orderId'"],
  ]);
};

const INDENT = "  ";
const MAX_DEPTH = 200;

const isStructured = (text: string): boolean => {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null;
  } catch {
    return false;
  }
};

/** Tokens: strings, single brackets and separators, and other text up to the next token. */
const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g;

const isOpening = (token: string): boolean => token === "{" || token === "[";
const isClosing = (token: string): boolean => token === "}" || token === "]";

/** The white space between two tokens, of which the second has this depth. */
const gap = (before: string, token: string, depth: number): string => {
  if (isOpening(before) && isClosing(token)) return "";
  if (isOpening(before) || isClosing(token) || before === ",") return `\n${INDENT.repeat(depth)}`;
  return before === ":" ? " " : "";
};

/**
 * Indents a JSON object or array. Works on the source text, so that numbers are not rounded and escapes stay as they
 * are. Returns the text unchanged if it is anything else, or is nested deeper than 200 levels.
 */
export const indented = (text: string): string => {
  if (!isStructured(text)) return text;
  let depth = 0;
  let before = "";
  let result = "";
  for (const [token] of text.matchAll(TOKENS)) {
    if (isClosing(token)) depth -= 1;
    // The number of spaces grows with the square of the depth.
    if (depth > MAX_DEPTH) return text;
    result += gap(before, token, depth) + token;
    if (isOpening(token)) depth += 1;
    before = token;
  }
  return result;
};

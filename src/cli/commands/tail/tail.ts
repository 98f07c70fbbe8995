/** `stationgate tail`: prints the events of a station as they arrive. */
import { isUtf8 } from "node:buffer";
import type { Command } from "commander";
import { systemClock } from "../../../lib/clock.ts";
import { type Client, createClient, requireGateway } from "../../client.ts";
import { publicConnection } from "../../connection.ts";
import {
  actionOf,
  type Context,
  filterOption,
  fromOption,
  type GlobalOptions,
  retryOption,
  wholeNumber,
  withExamples,
} from "../../define-command.ts";
import { asFailure, CommandFailure, type Exit, type Shell } from "../../shell.ts";
import { createStationStream } from "../../station-stream.ts";
import type { StreamedEvent } from "../../stream-lines.ts";
import { readGroup } from "./group.ts";
import { type Message, printed } from "./printed.ts";

interface Options extends GlobalOptions {
  readonly from?: string;
  readonly filter?: readonly string[];
  readonly limit?: number;
  readonly group?: string;
  readonly headers?: boolean;
  readonly retryFor: number;
}

interface Following {
  readonly shell: Shell;
  readonly client: Client;
  readonly station: string;
  readonly options: Options;
  readonly interruption: AbortSignal;
  readonly onMessage: (message: Message) => Promise<void>;
}

/** The same form as in an answer of `consume/batch`. */
const messageOf = ({ value, headers }: StreamedEvent): Message => {
  const bytes = value ?? Buffer.alloc(0);
  const named = Object.fromEntries(headers.map(([name, text]) => [name, text?.toString() ?? null]));
  return isUtf8(bytes)
    ? { message: bytes.toString(), headers: named }
    : { message: bytes.toString("base64"), headers: { ...named, "stationgate-encoding": "base64" } };
};

const followStream = async (following: Following): Promise<void> => {
  const { shell, client, station, options, interruption, onMessage } = following;
  const { from = "latest", filter, limit = Infinity, retryFor } = options;
  const enough = new AbortController();
  let left = limit;
  await createStationStream({
    ...{ shell, client, station, from, filter, clock: systemClock, retryForMs: retryFor },
    signal: AbortSignal.any([interruption, enough.signal]),
    onReady: () => {
      if (limit === Infinity || from === "latest")
        shell.note(`Following ${station}${from === "latest" ? ", new events only" : ""}. Ctrl-C ends.`);
    },
    onEvent: async (event) => {
      await onMessage(messageOf(event));
      if (--left === 0) enough.abort();
    },
  }).run();
};

const followGroup = async (group: string, following: Following): Promise<void> => {
  const { from = "earliest", filter, limit = Infinity, retryFor } = following.options;
  if (from !== "earliest" && from !== "latest")
    throw new CommandFailure("usage", `--from ${from}: with --group only earliest and latest are allowed`);
  if (filter !== undefined) throw new CommandFailure("usage", "--filter is not allowed with --group");
  await readGroup({ ...following, group, from, limit, retryForMs: retryFor });
};

const tail = async (shell: Shell, station: string, options: Options): Promise<Exit> => {
  const client = createClient(await publicConnection(shell, options));
  const interruption = shell.interruption();
  await requireGateway(client);
  const onMessage = (message: Message): Promise<void> => shell.out(printed(shell, message, options));
  const following = { shell, client, station, options, interruption, onMessage };
  try {
    if (options.group === undefined) await followStream(following);
    else await followGroup(options.group, following);
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
      "Print the events of a station or of a webhook source as they arrive, until Ctrl-C. The credential needs the " +
        "permission to consume.",
    )
    .argument("<station|source>", "name of a station or of a webhook source")
    .addOption(fromOption("start position (default: latest; with --group: earliest)"))
    .addOption(filterOption())
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

/** `stationgate listen`: sends the events of a station to a URL as they arrive. */
import { type Command, InvalidArgumentError } from "commander";
import { pause, systemClock } from "../../../lib/clock.ts";
import { createClient, requireGateway } from "../../client.ts";
import { publicConnection } from "../../connection.ts";
import {
  actionOf,
  type Context,
  filterOption,
  fromOption,
  type GlobalOptions,
  withExamples,
} from "../../define-command.ts";
import { asFailure, type Exit, type Shell } from "../../shell.ts";
import { backOffMs, createStationStream } from "../../station-stream.ts";
import type { StreamedEvent } from "../../stream-lines.ts";
import { post, type Posted, type Target } from "./post.ts";

interface Options extends GlobalOptions {
  readonly to: string;
  readonly from?: string;
  readonly filter?: readonly string[];
  readonly after?: string;
  readonly retry?: boolean;
}

const isStored = ({ status = 0 }: Posted): boolean => status >= 200 && status <= 299;

const placeOf = ({ partition, offset }: StreamedEvent): string => `${partition}@${offset}`;

const wordsOf = ({ status, error = "" }: Posted): string =>
  status === undefined ? `no answer (${error})` : String(status);

const line = (event: StreamedEvent, posted: Posted, { json }: Options): string => {
  const { status = null, error, ms } = posted;
  const { partition, offset } = event;
  return json === true
    ? JSON.stringify({ partition, offset, status, ...(error !== undefined && { error }), ms })
    : `${placeOf(event)}  ${wordsOf(posted)}  ${ms} ms`;
};

/** Sends the event once, or with `--retry` until the endpoint answers 2xx. */
const deliver = async (
  shell: Shell,
  target: Target,
  event: StreamedEvent,
  options: Options,
): Promise<void> => {
  for (let attempts = 1; ; attempts++) {
    const posted = await post(target, event);
    if (options.retry !== true || isStored(posted)) return shell.out(line(event, posted, options));
    const wait = Math.max(posted.waitMs, backOffMs(attempts));
    shell.note(`${placeOf(event)}: ${wordsOf(posted)}; sending it again in ${Math.round(wait / 1000)} s`);
    await pause(systemClock, wait, target.signal);
  }
};

const listen = async (shell: Shell, station: string, options: Options): Promise<Exit> => {
  const client = createClient(await publicConnection(shell, options));
  const signal = shell.interruption();
  const target = { url: options.to, station, signal };
  await requireGateway(client);
  const stream = createStationStream({
    ...{ shell, client, station, signal, clock: systemClock, retryForMs: Infinity },
    ...{ from: options.from, filter: options.filter, after: options.after },
    onReady: () => {
      shell.note(`Sending the events of ${station} to ${options.to}. Ctrl-C ends.`);
    },
    onEvent: (event) => deliver(shell, target, event, options),
  });
  try {
    await stream.run();
  } catch (error) {
    // Ctrl-C is the normal end.
    if (asFailure(error)?.exit !== "interrupted") throw error;
  } finally {
    const lastId = stream.lastId();
    if (lastId !== undefined) shell.note(`To continue after the last event: --after ${lastId}`);
  }
  return "ok";
};

const httpUrl = (text: string): string => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== "" || url.password !== "")
    throw new InvalidArgumentError(
      "Allowed: an HTTP URL without a user, such as http://localhost:3000/hook.",
    );
  return text;
};

export const addListen = (program: Command, context: Context): void => {
  const command = program
    .command("listen")
    .description(
      "Send each new event of a station or of a webhook source to a URL, one POST at a time and in order, until Ctrl-C. " +
        "The credential needs the permission to consume.",
    )
    .argument("<station|source>", "name of a station or of a webhook source")
    .requiredOption("--to <url>", "URL that gets the events", httpUrl)
    .addOption(fromOption("start position (default: latest)"))
    .addOption(filterOption())
    .option("--after <id>", "continue after the event with this id, which listen prints at its end")
    .option(
      "--retry",
      "send an event again until the URL answers 2xx; without --retry each event is sent once",
    )
    .action(actionOf(context, ([station = ""], options: Options) => listen(context.shell, station, options)));
  withExamples(command, [
    ["test a webhook handler on this machine", "stationgate listen github --to http://localhost:3000/hooks"],
    [
      "all events of one customer, from the first one",
      "stationgate listen orders --to http://localhost:3000/ --from earliest --filter /customer==17",
    ],
  ]);
};

/** `stationgate produce`: stores one event, or a file of events. */
import { createReadStream, statSync } from "node:fs";
import { resolve } from "node:path";
import { addAbortSignal, type Readable } from "node:stream";
import type { Command } from "commander";
import { z } from "zod";
import { createClient, demand, parsedAnswer, requireGateway, type Client } from "../../client.ts";
import { publicConnection } from "../../connection.ts";
import {
  type Context,
  actionOf,
  type GlobalOptions,
  retryOption,
  sizeOption,
  wholeNumber,
  withExamples,
} from "../../define-command.ts";
import { asFailure, CommandFailure, type Exit, type Shell } from "../../shell.ts";
import { errnoOf } from "../../../lib/file-system.ts";
import { deliver } from "./deliver.ts";
import { readLines } from "./lines.ts";
import { createFileReport } from "./report.ts";

interface Options extends GlobalOptions {
  readonly file?: string;
  readonly contentType?: string;
  readonly batchEvents: number;
  readonly batchBytes: number;
  readonly maxLine: number;
  readonly retryFor: number;
}

/** `results` has one entry. A gateway of Memphis sends no results. */
const storedShape = z.object({
  error: z.null(),
  success: z.literal(true),
  results: z
    .tuple([
      z.union([
        z.object({
          status: z.literal("stored"),
          partition: z.number(),
          offset: z.string(),
          timestamp: z.number(),
        }),
        z.object({ status: z.literal("duplicate"), partition: z.number(), offset: z.string() }),
        z.object({ status: z.literal("spooled"), partition: z.null(), offset: z.null() }),
      ]),
    ])
    .optional(),
});

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

const produceOne = async (
  shell: Shell,
  client: Client,
  event: { readonly station: string; readonly text: string },
  { contentType, json }: Options,
): Promise<Exit> => {
  const { station, text } = event;
  const answer = await demand(client, {
    method: "POST",
    path: `/stations/${encodeURIComponent(station)}/produce/single`,
    body: Buffer.from(text),
    headers: {
      "content-type": contentType ?? (isJson(text) ? "application/json" : "text/plain; charset=utf-8"),
      prefer: "return=representation",
    },
  });
  const [result] = parsedAnswer(storedShape, answer).results ?? [];
  if (json === true) await shell.out(JSON.stringify({ status: "stored", ...result }));
  else await shell.out(textOf(result));
  return "ok";
};

const textOf = (result: NonNullable<z.output<typeof storedShape>["results"]>[0] | undefined): string => {
  if (result === undefined) return "stored";
  return result.status === "spooled"
    ? "spooled: the gateway sends it to Kafka later"
    : `${result.status}: partition ${result.partition}, offset ${result.offset}`;
};

/** Bytes of one read from a file. A batch is never larger. */
const CHUNK = 1024 * 1024;

interface Input {
  readonly stream: Readable;
  readonly totalBytes: number | undefined;
}

const openInput = (shell: Shell, file: string): Input => {
  if (file === "-") return { stream: shell.stdin, totalBytes: undefined };
  const path = resolve(shell.cwd, file);
  try {
    const stat = statSync(path);
    if (stat.isDirectory()) throw new CommandFailure("usage", `${file} is a directory`);
    return {
      stream: createReadStream(path, { highWaterMark: CHUNK }),
      totalBytes: stat.isFile() ? stat.size : undefined,
    };
  } catch (error) {
    throw asFailure(error) ?? unreadable(file, error);
  }
};

const unreadable = (file: string, error: unknown): CommandFailure =>
  new CommandFailure("usage", `${file} can't be read (${errnoOf(error) ?? "unreadable"})`, error);

/** Ends when the command is interrupted, even while the input is idle. */
async function* readable(
  file: string,
  { stream }: Input,
  interruption: AbortSignal,
): AsyncGenerator<Buffer | string> {
  addAbortSignal(interruption, stream);
  try {
    yield* stream;
  } catch (error) {
    if (!interruption.aborted) throw unreadable(file, error);
  }
}

const produceFile = async (
  shell: Shell,
  client: Client,
  station: string,
  options: Options & { readonly file: string },
): Promise<Exit> => {
  const { file, batchEvents, batchBytes, maxLine, retryFor, json = false } = options;
  const input = openInput(shell, file);
  const interruption = shell.interruption();
  await requireGateway(client);
  const report = createFileReport({ shell, json, totalBytes: input.totalBytes });
  try {
    const end = await deliver(readLines(readable(file, input, interruption), maxLine), {
      client,
      station,
      report,
      bounds: { events: batchEvents, bytes: batchBytes },
      retryForMs: retryFor,
      interruption,
    });
    return await report.finish(end);
  } catch (error) {
    const failure = asFailure(error);
    if (failure === undefined) {
      report.close();
      throw error;
    }
    await report.finish("ok", failure.message);
    return failure.exit;
  }
};

const produce = async (
  shell: Shell,
  [station = "", text]: readonly (string | undefined)[],
  options: Options,
): Promise<Exit> => {
  const file = text === "-" ? "-" : options.file;
  if ((text === undefined) === (options.file === undefined))
    throw new CommandFailure(
      "usage",
      "exactly one input is needed: the event's text, --file, or - for standard input",
    );
  const client = createClient(await publicConnection(shell, options));
  return file === undefined
    ? produceOne(shell, client, { station, text: text ?? "" }, options)
    : produceFile(shell, client, station, { ...options, file });
};

export const addProduce = (program: Command, context: Context): void => {
  const command = program
    .command("produce")
    .description(
      "Store one event, or each line of a file of JSON objects as an event, in the order of the lines.",
    )
    .argument("<station>", "the station's name")
    .argument("[text]", "text of the event; - reads lines from standard input")
    .option("--file <file>", "NDJSON file with one JSON object per line; - is standard input")
    .option(
      "--content-type <type>",
      "content type of the text (default: application/json for JSON, otherwise text/plain)",
    )
    .option("--batch-events <n>", "maximum number of events per request", wholeNumber, 1000)
    .addOption(sizeOption("--batch-bytes <size>", "maximum size of a request", "1mb"))
    .addOption(sizeOption("--max-line <size>", "maximum size of a line; longer lines are refused", "4mb"))
    .addOption(retryOption("time to retry while no event gets an outcome"))
    .addHelpText(
      "after",
      `
A file is sent in sequential batches. Each refused line is reported with its number and the reason: on stderr,
or with --json on stdout (one {"line","status","error"} per line, then the counts). If the gateway can't store
events now, or its answer is lost, the affected lines are sent again. They can then be stored twice.`,
    )
    .action(actionOf(context, (args, options: Options) => produce(context.shell, args, options)));
  withExamples(command, [
    ["one event", `stationgate produce clicks '{"page":"/"}'`],
    ["a file, with a progress bar", "stationgate produce clicks --file events.ndjson"],
    ["the output of another program", "jq -c '.[]' events.json | stationgate produce clicks -"],
    [
      "save the refused lines",
      "stationgate produce clicks --file events.ndjson --json | jq -c 'select(.line)' > refused.ndjson",
    ],
  ]);
};

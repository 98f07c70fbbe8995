/** `stationgate produce`: one event, or a file of them. */
import { createReadStream, statSync } from "node:fs";
import { resolve } from "node:path";
import { addAbortSignal, type Readable } from "node:stream";
import type { Command } from "commander";
import { z } from "zod";
import { createClient, demand, parsed, reach, type Client } from "../../client.ts";
import { publicConnection } from "../../connection.ts";
import { ending, withExamples, type Context, type GlobalOptions } from "../../context.ts";
import { asFailure, CommandFailure, type Exit, type Shell } from "../../shell.ts";
import { errnoOf } from "../../../lib/file-system.ts";
import { retryOption, sizeOption, wholeNumber } from "../../values.ts";
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

/** With the one result of the event; a gateway of Memphis itself knows none. */
const storedShape = z.object({
  error: z.null(),
  success: z.literal(true),
  results: z
    .tuple([
      z.object({
        status: z.literal("stored"),
        partition: z.number(),
        offset: z.string(),
        timestamp: z.number(),
      }),
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
  const [result] = parsed(storedShape, answer).results ?? [];
  if (json === true) await shell.out(JSON.stringify({ status: "stored", ...result }));
  else await shell.out(result ? `stored: partition ${result.partition}, offset ${result.offset}` : "stored");
  return "ok";
};

/** Of a file; a batch never holds more, since it holds what was read at once. */
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

/** Ends early when it is interrupted: a pipe may have nothing to say for hours. */
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
  await reach(client);
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
    throw new CommandFailure("usage", "give one of these: the event's text, --file, or - for standard input");
  const client = createClient(await publicConnection(shell, options));
  return file === undefined
    ? produceOne(shell, client, { station, text: text ?? "" }, options)
    : produceFile(shell, client, station, { ...options, file });
};

export const addProduce = (program: Command, context: Context): void => {
  const command = program
    .command("produce")
    .description("Store one event, or each line of a file of JSON objects as an event, in their order.")
    .argument("<station>", "the station's name")
    .argument("[text]", "the event; - reads lines from standard input")
    .option("--file <file>", "NDJSON: a JSON object a line; - is standard input")
    .option(
      "--content-type <type>",
      "of the text (default: application/json where it is JSON, else text/plain)",
    )
    .option("--batch-events <n>", "most events of one request", wholeNumber, 1000)
    .addOption(sizeOption("--batch-bytes <size>", "most bytes of one request", "1mb"))
    .addOption(sizeOption("--max-line <size>", "longer lines are refused", "4mb"))
    .addOption(retryOption("how long to try again while no event finds its outcome"))
    .addHelpText(
      "after",
      `
A file is sent in batches, one after the other. Each line that is refused is told with its number and the
reason on stderr, with --json on stdout ({"line","status","error"} a line, then the counts). Where the gateway
can't store just now, or its answer is lost, the lines concerned are sent again: they may then be stored twice.`,
    )
    .action(ending(context, (args, options: Options) => produce(context.shell, args, options)));
  withExamples(command, [
    ["one event", `stationgate produce clicks '{"page":"/"}'`],
    ["a file, with a bar", "stationgate produce clicks --file events.ndjson"],
    ["what another program prints", "jq -c '.[]' events.json | stationgate produce clicks -"],
    [
      "keep the refusals",
      "stationgate produce clicks --file events.ndjson --json | jq -c 'select(.line)' > refused.ndjson",
    ],
  ]);
};

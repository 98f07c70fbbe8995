/** `stationgate spool wait`: waits until the gateway has drained its spool, for the end of a pod. */
import { setTimeout as sleep } from "node:timers/promises";
import type { Command } from "commander";
import { z } from "zod";
import { type Answer, type Client, foreignAnswer, isOwn, jsonOf, messageOf, openClient } from "../client.ts";
import { publicTarget } from "../connection.ts";
import {
  actionOf,
  type Context,
  durationOption,
  type GlobalOptions,
  withExamples,
} from "../define-command.ts";
import { CommandFailure, type Exit } from "../shell.ts";

interface Options extends GlobalOptions {
  readonly timeout: number;
}

/** Milliseconds between two questions. */
const POLL_MS = 500;
/** Milliseconds to wait for an answer. */
const ANSWER_MS = 2000;

const readyShape = z.object({
  status: z.string(),
  spooling: z.boolean().default(false),
  spoolEmpty: z.boolean().default(false),
});
const problemShape = z.object({ code: z.string() });

/** Why the spool may have events; undefined: it is empty. */
const reasonOf = (answer: Answer): string | undefined => {
  const body = jsonOf(answer.text);
  const ready = readyShape.safeParse(body);
  if (answer.status === 200 && ready.success)
    return ready.data.spooling && !ready.data.spoolEmpty ? "the spool is not empty" : undefined;
  // A gateway with a spool is ready, or answers SPOOL_FULL.
  if (problemShape.safeParse(body).data?.code === "BROKER_UNAVAILABLE") return undefined;
  return isOwn(answer) ? `${messageOf(answer)} (${answer.status})` : foreignAnswer(answer).message;
};

const ask = async (client: Client): Promise<string | undefined> => {
  try {
    return reasonOf(await client.call({ method: "GET", path: "/readyz", timeoutMs: ANSWER_MS }));
  } catch (error) {
    if (error instanceof CommandFailure) return error.message;
    throw error;
  }
};

/** A gateway that does not answer may answer again: the container of a pod can restart. */
const waitForDrain = async (context: Context, options: Options): Promise<Exit> => {
  const { shell } = context;
  const client = openClient(publicTarget(shell, options));
  const signal = shell.interruption();
  const end = performance.now() + options.timeout;
  let reason = await ask(client);
  while (reason !== undefined && performance.now() < end) {
    const isInterrupted = await sleep(POLL_MS, false, { signal }).catch(() => true);
    if (isInterrupted) return "interrupted";
    reason = await ask(client);
  }
  const isEmpty = reason === undefined;
  if (options.json === true) await shell.out(JSON.stringify({ empty: isEmpty, reason }));
  else if (isEmpty) await shell.out("the spool is empty");
  else shell.note(`the time is over: ${reason ?? ""}`);
  return isEmpty ? "ok" : "failed";
};

export const addSpool = (program: Command, context: Context): void => {
  const spool = program.command("spool").description("The events on the gateway's disk (setting spool).");
  const command = spool
    .command("wait")
    .description(
      "Wait until all events of the spool are in Kafka. Exits with 1 if the spool is not empty after the time.",
    )
    .addOption(durationOption("--timeout <duration>", "maximum time to wait", "2m"))
    .action(actionOf(context, (_args, options: Options) => waitForDrain(context, options)));
  withExamples(command, [["before a machine is shut down", "stationgate spool wait --timeout 5m"]]);
};

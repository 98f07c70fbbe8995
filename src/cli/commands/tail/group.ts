/** Reads with a consumer group, through `consume/batch`. */
import { z } from "zod";
import { pause, systemClock } from "../../../lib/clock.ts";
import { retryAfterMs } from "../../../lib/units.ts";
import { type Answer, type Client, parsedAnswer, refusal } from "../../client.ts";
import { asFailure, CommandFailure, type Shell } from "../../shell.ts";
import type { Message } from "./printed.ts";

const messagesShape = z.array(
  z.object({ message: z.string(), headers: z.record(z.string(), z.string().nullable()) }),
);

const MAX_BATCH = 500;
const LONG_POLL_MS = 20_000;
/** The first poll is short: its answer shows that the consumer has joined its group. */
const FIRST_POLL_MS = 50;
const PAUSE = 1000;

export interface GroupReading {
  readonly shell: Shell;
  readonly client: Client;
  readonly station: string;
  readonly group: string;
  readonly from: "earliest" | "latest";
  /** Maximum number of events. */
  readonly limit: number;
  readonly retryForMs: number;
  readonly interruption: AbortSignal;
  readonly onMessage: (message: Message) => Promise<void>;
}

/** The parameters of a poll. */
interface Wanted {
  readonly count: number;
  readonly waitMs: number;
}

const poll = (
  { client, station, group, from, interruption }: GroupReading,
  wanted: Wanted,
): Promise<Answer> =>
  client.call({
    method: "POST",
    path: `/stations/${encodeURIComponent(station)}/consume/batch`,
    body: {
      consumer_name: "stationgate-tail",
      consumer_group: group,
      batch_size: wanted.count,
      batch_max_wait_time_ms: wanted.waitMs,
      from,
    },
    signal: interruption,
    timeoutMs: wanted.waitMs + 60_000,
  });

/** Polls, and retries while the gateway is unavailable. Rejects with a refusal, or after `--retry-for`. */
const next = async (reading: GroupReading, wanted: Wanted): Promise<readonly Message[]> => {
  const { shell, interruption, retryForMs } = reading;
  const giveUpAt = Date.now() + retryForMs;
  let shown = "";
  for (;;) {
    let wait = PAUSE;
    const failure = await poll(reading, wanted)
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

/** Reads until the limit or the interruption. */
export const readGroup = async (reading: GroupReading): Promise<void> => {
  const { shell, station, from, limit, interruption, onMessage } = reading;
  let left = limit;
  // The gateway waits until the batch is full. So a poll that waits asks for one event, and the next poll for all
  // available events.
  let ask = { count: MAX_BATCH, waitMs: FIRST_POLL_MS };
  for (let isFirst = true; left > 0 && !interruption.aborted; isFirst = false) {
    const messages = await next(reading, { waitMs: ask.waitMs, count: Math.min(left, ask.count) });
    for (const message of messages) await onMessage(message);
    left -= messages.length;
    if (isFirst && left > 0)
      shell.note(`Following ${station}${from === "latest" ? ", new events only" : ""}. Ctrl-C ends.`);
    ask = messages.length === 0 ? { count: 1, waitMs: LONG_POLL_MS } : { count: MAX_BATCH, waitMs: 0 };
  }
};

/** One try to store some lines: what the gateway's answer says of each of them. */
import { z } from "zod";
import { retryAfterMs } from "../../lib/retry-after.ts";
import { messageOf } from "../answer.ts";
import { refusal, type Answer, type Client } from "../client.ts";
import { asFailure, CommandFailure } from "../exits.ts";
import type { Line } from "./lines.ts";

export type Verdict =
  | { readonly kind: "stored" }
  | { readonly kind: "refused"; readonly error: string }
  /** Not known to be stored: it may be sent again. */
  | { readonly kind: "open"; readonly error: string };

export type Outcome =
  | {
      readonly kind: "each";
      /** One for each line. */
      readonly verdicts: readonly Verdict[];
      readonly waitMs: number;
    }
  /** The request as a whole was refused, because of one of the lines or of their number. */
  | { readonly kind: "whole"; readonly error: string; readonly tooLarge: boolean };

const resultShape = z.union([
  z.object({ status: z.literal("stored") }).transform((): Verdict => ({ kind: "stored" })),
  z
    .object({ status: z.literal("refused"), error: z.string() })
    .transform(({ error }): Verdict => ({ kind: "refused", error })),
  z
    .object({ status: z.literal("unknown"), error: z.string() })
    .transform(({ error }): Verdict => ({ kind: "open", error })),
]);

const resultsShape = z.object({ results: z.array(resultShape) });
const successShape = z.object({ success: z.literal(true) });

/** Milliseconds, where the answer names no time. */
const DEFAULT_WAIT = 1000;

const waitOf = ({ headers }: Answer): number =>
  retryAfterMs(headers.get("retry-after"), Date.now()) || DEFAULT_WAIT;

const jsonOf = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

const each = (lines: readonly Line[], verdict: Verdict, waitMs: number): Outcome => ({
  kind: "each",
  verdicts: lines.map(() => verdict),
  waitMs,
});

/** Refusals that would be those of any other event too. */
const HOPELESS: readonly number[] = [401, 403, 404, 405, 415];

const outcomeOf = (lines: readonly Line[], answer: Answer): Outcome => {
  const body = jsonOf(answer.text);
  const told = resultsShape.safeParse(body);
  if (told.success && told.data.results.length === lines.length)
    return { kind: "each", verdicts: told.data.results, waitMs: waitOf(answer) };
  // A gateway of Memphis itself knows no results; what it calls a success is all of them.
  if (answer.status === 200 && successShape.safeParse(body).success)
    return each(lines, { kind: "stored" }, 0);
  const error = messageOf(answer);
  if (answer.status === 429 || answer.status === 408 || answer.status >= 500)
    return each(lines, { kind: "open", error: `${error} (${answer.status})` }, waitOf(answer));
  if (answer.status < 400 || HOPELESS.includes(answer.status)) throw refusal(answer);
  return { kind: "whole", error, tooLarge: answer.status === 413 };
};

/** Rejects with a CommandFailure where no further line could do better. */
export const attempt = async (client: Client, station: string, lines: readonly Line[]): Promise<Outcome> => {
  const body = Buffer.concat([
    Buffer.from("["),
    ...lines.flatMap(({ text }, index) => (index === 0 ? [text] : [Buffer.from(","), text])),
    Buffer.from("]"),
  ]);
  try {
    const answer = await client.call({
      method: "POST",
      path: `/stations/${encodeURIComponent(station)}/produce/batch`,
      body,
      headers: { "content-type": "application/json", prefer: "return=representation" },
    });
    return outcomeOf(lines, answer);
  } catch (error) {
    const failure = asFailure(error);
    if (!(failure instanceof CommandFailure) || failure.exit !== "unreachable") throw error;
    return each(lines, { kind: "open", error: failure.message }, DEFAULT_WAIT);
  }
};

/** One try to store some lines: what the gateway's answer says of each of them. */
import { z } from "zod";
import { retryAfterMs } from "../../../lib/units.ts";
import {
  type Answer,
  type Call,
  type Client,
  isOwn,
  jsonOf,
  messageOf,
  refusal,
  strange,
} from "../../client.ts";
import { asFailure, CommandFailure } from "../../shell.ts";
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
  z
    .object({ status: z.literal("stored"), partition: z.number().optional() })
    .transform((): Verdict => ({ kind: "stored" })),
  z
    .object({ status: z.literal("refused"), error: z.string() })
    .transform(({ error }): Verdict => ({ kind: "refused", error })),
  z
    .object({ status: z.literal("unknown"), error: z.string() })
    .transform(({ error }): Verdict => ({ kind: "open", error })),
]);

const resultsShape = z.object({ results: z.array(resultShape) });

/** A gateway of Memphis itself knows no results; this is what it calls a success of all. */
const successShape = z.strictObject({ error: z.null(), success: z.literal(true) });

/** A whole request that is refused, in the words of these routes. */
const refusalShape = z.union([
  z.object({ error: z.string() }),
  z.object({ errors: z.array(z.string()).min(1) }),
]);

/** Milliseconds, where the answer names no time. */
const DEFAULT_WAIT = 1000;

const waitOf = ({ headers }: Answer): number =>
  retryAfterMs(headers.get("retry-after"), Date.now()) || DEFAULT_WAIT;

const each = (lines: readonly Line[], verdict: Verdict, waitMs: number): Outcome => ({
  kind: "each",
  verdicts: lines.map(() => verdict),
  waitMs,
});

/** Refusals that would be those of any other event too. */
const HOPELESS: readonly number[] = [401, 403, 404, 405, 415];

/** Statuses of answers that speak of each event. Under any other, results are those of one event or of none. */
const EACH: readonly number[] = [200, 400, 503];

/** One for each line; none where the answer doesn't say that, or what it says does not fit together. */
const verdictsOf = (
  lines: readonly Line[],
  { status }: Answer,
  body: unknown,
): readonly Verdict[] | undefined => {
  if (status === 200 && successShape.safeParse(body).success) return lines.map(() => ({ kind: "stored" }));
  const { success, data } = resultsShape.safeParse(body);
  if (!success || !EACH.includes(status) || data.results.length !== lines.length) return undefined;
  return status !== 200 || data.results.every(({ kind }) => kind === "stored") ? data.results : undefined;
};

/**
 * What isn't the gateway's own answer is a failed attempt: it stores no line and refuses none. A success that is none
 * ends the delivery, since the URL is wrong; anything else may pass.
 */
const outcomeOf = (lines: readonly Line[], answer: Answer): Outcome => {
  const { status } = answer;
  const body = jsonOf(answer.text);
  const verdicts = verdictsOf(lines, answer, body);
  if (verdicts !== undefined) return { kind: "each", verdicts, waitMs: waitOf(answer) };
  if (status < 400) throw strange(answer);
  const error = messageOf(answer);
  const isRefusal = refusalShape.safeParse(body).success;
  if (HOPELESS.includes(status) && (isRefusal || isOwn(answer))) throw refusal(answer);
  const tooLarge = status === 413;
  const passes = status === 429 || status === 408 || status >= 500;
  if (passes || (!isRefusal && !(tooLarge && lines.length > 1)))
    return each(lines, { kind: "open", error: `${error} (${status})` }, waitOf(answer));
  return { kind: "whole", error, tooLarge };
};

/** Rejects with a CommandFailure where no further line could do better. */
export const attempt = async (client: Client, station: string, lines: readonly Line[]): Promise<Outcome> => {
  const body = Buffer.concat([
    Buffer.from("["),
    ...lines.flatMap(({ text }, index) => (index === 0 ? [text] : [Buffer.from(","), text])),
    Buffer.from("]"),
  ]);
  const call: Call = {
    method: "POST",
    path: `/stations/${encodeURIComponent(station)}/produce/batch`,
    body,
    headers: { "content-type": "application/json", prefer: "return=representation" },
  };
  const answer = await client.call(call).catch((error: unknown) => {
    const failure = asFailure(error);
    if (failure?.exit !== "unreachable") throw error;
    return failure;
  });
  return answer instanceof CommandFailure
    ? each(lines, { kind: "open", error: answer.message }, DEFAULT_WAIT)
    : outcomeOf(lines, answer);
};

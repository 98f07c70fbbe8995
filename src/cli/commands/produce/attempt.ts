/** Sends one batch of lines, and reads the outcome of each line from the gateway's answer. */
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
  foreignAnswer,
} from "../../client.ts";
import { asFailure, CommandFailure } from "../../shell.ts";
import type { Line } from "./lines.ts";

export type Verdict =
  | { readonly kind: "stored" }
  | { readonly kind: "refused"; readonly error: string }
  /** The line has no outcome: send it again. */
  | { readonly kind: "open"; readonly error: string };

export type Outcome =
  | {
      readonly kind: "each";
      /** One verdict for each line. */
      readonly verdicts: readonly Verdict[];
      readonly waitMs: number;
    }
  /** The whole request was refused because of one line, or because of its size. */
  | { readonly kind: "whole"; readonly error: string; readonly tooLarge: boolean };

const resultShape = z.union([
  z
    .object({ status: z.enum(["stored", "duplicate", "spooled"]) })
    .transform((): Verdict => ({ kind: "stored" })),
  z
    .object({ status: z.literal("refused"), error: z.string() })
    .transform(({ error }): Verdict => ({ kind: "refused", error })),
  z
    .object({ status: z.enum(["unknown", "unavailable"]), error: z.string() })
    .transform(({ error }): Verdict => ({ kind: "open", error })),
]);

const resultsShape = z.object({ results: z.array(resultShape) });

/** The answer of a gateway of Memphis, which has no results: all lines are stored. */
const successShape = z.strictObject({ error: z.null(), success: z.literal(true) });

/** The answers of the produce routes to a refused request. */
const refusalShape = z.union([
  z.object({ error: z.string() }),
  z.object({ errors: z.array(z.string()).min(1) }),
]);

/** Milliseconds to wait if the answer has no Retry-After. */
const DEFAULT_WAIT = 1000;

const waitOf = ({ headers }: Answer): number =>
  retryAfterMs(headers.get("retry-after"), Date.now()) || DEFAULT_WAIT;

const sameForAll = (lines: readonly Line[], verdict: Verdict, waitMs: number): Outcome => ({
  kind: "each",
  verdicts: lines.map(() => verdict),
  waitMs,
});

/** Statuses that every other event would get too. */
const HOPELESS: readonly number[] = [401, 403, 404, 405, 415];

/** Statuses below 500 after which the same request can succeed. */
const TEMPORARY: readonly number[] = [408, 409, 429];

/** Statuses of answers that have a result for each event. */
const EACH: readonly number[] = [200, 400, 503];

/** One verdict for each line; undefined: the answer has no results, or its results and status contradict each other. */
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
 * An answer that no gateway wrote is a failed attempt: it neither stores nor refuses a line, and the lines are sent
 * again. But if its status is a success, the URL is wrong, and the delivery ends.
 */
const outcomeOf = (lines: readonly Line[], answer: Answer): Outcome => {
  const { status } = answer;
  const body = jsonOf(answer.text);
  const verdicts = verdictsOf(lines, answer, body);
  if (verdicts !== undefined) return { kind: "each", verdicts, waitMs: waitOf(answer) };
  if (status < 400) throw foreignAnswer(answer);
  const error = messageOf(answer);
  const isRefusal = refusalShape.safeParse(body).success;
  if (HOPELESS.includes(status) && (isRefusal || isOwn(answer))) throw refusal(answer);
  const tooLarge = status === 413;
  const isTemporary = TEMPORARY.includes(status) || status >= 500;
  if (isTemporary || (!isRefusal && !(tooLarge && lines.length > 1)))
    return sameForAll(lines, { kind: "open", error: `${error} (${status})` }, waitOf(answer));
  return { kind: "whole", error, tooLarge };
};

/** Rejects with a CommandFailure if every other line would fail too. */
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
    ? sameForAll(lines, { kind: "open", error: answer.message }, DEFAULT_WAIT)
    : outcomeOf(lines, answer);
};

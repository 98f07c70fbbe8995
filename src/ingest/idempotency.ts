/** Calls with an `Idempotency-Key` (IETF draft "The Idempotency-Key HTTP Header Field"). */
import { type ErrorCode, GatewayError } from "../errors.ts";
import type { EventOutcome } from "./produce.ts";
import type { Remembered } from "./remembered.ts";

/**
 * A call is repeated if all of these are equal. The same key on another route, or with another body or content type, is
 * another call. The `Prefer` header does not count.
 */
export interface IdempotentCall {
  readonly key: string;
  readonly principal: string;
  /** The route's template. */
  readonly route: string;
  readonly station: string;
  readonly contentType: string;
  readonly body: Buffer;
  /** Number of events, which is the number of outcomes. */
  readonly events: number;
}

export interface Idempotency {
  /**
   * Returns the outcomes of `produce`, or the outcomes of the same call before. A call that comes while the same call is
   * in flight waits for it. Only final outcomes are remembered; other calls are carried out again. Rejects with
   * OVERLOADED, and then nothing is stored, if there is no memory for the outcomes.
   */
  once(
    call: IdempotentCall,
    produce: () => Promise<readonly EventOutcome[]>,
  ): Promise<readonly EventOutcome[]>;
}

export interface IdempotencyOptions {
  readonly windowMs: number;
  readonly remembered: Remembered<readonly EventOutcome[]>;
}

export const createIdempotency = ({ windowMs, remembered }: IdempotencyOptions): Idempotency => ({
  once: ({ key, principal, route, station, contentType, body, events }, produce) =>
    remembered.once(
      {
        identity: [key, principal, route, station, contentType],
        body,
        bytes: ENTRY_BYTES + events * OUTCOME_BYTES,
        ttlMs: windowMs,
        toRemember: rememberedOutcomes,
      },
      produce,
    ),
});

/** Size of a name, an entry and a list. */
const ENTRY_BYTES = 400;
/** Size of the outcome of a stored event, or of a refused event without its text. */
const OUTCOME_BYTES = 120;
const ERROR_BYTES = 400;

const sizeOfAll = (outcomes: readonly EventOutcome[]): number => {
  let bytes = ENTRY_BYTES + outcomes.length * OUTCOME_BYTES;
  for (const outcome of outcomes)
    if (outcome.status === "failed") bytes += ERROR_BYTES + 2 * outcome.error.message.length;
  return bytes;
};

/** Refusals that the same event may not get the next time. */
const TEMPORARY: ReadonlySet<ErrorCode> = new Set(["STATION_UNKNOWN", "PARTITION_UNKNOWN", "RECORD_REFUSED"]);

/**
 * True if at least one event is stored and no outcome can change. If nothing is stored, a repeat does no harm and gets
 * a newer answer.
 */
const isFinal = (outcomes: readonly EventOutcome[]): boolean =>
  outcomes.some(({ status }) => status !== "failed") &&
  outcomes.every(
    (outcome) =>
      outcome.status !== "failed" ||
      (outcome.error.outcome === "refused" && !TEMPORARY.has(outcome.error.code)),
  );

const rememberedOutcomes = (
  outcomes: readonly EventOutcome[],
  grow: (bytes: number) => boolean,
): readonly EventOutcome[] | undefined => {
  if (!isFinal(outcomes)) return undefined;
  return outcomes.map(grow(sizeOfAll(outcomes)) ? withoutCause : withoutText);
};

/** The cause may hold the whole event. */
const withoutCause = (outcome: EventOutcome): EventOutcome => {
  if (outcome.status !== "failed") return outcome;
  const { code, message } = outcome.error;
  return { status: "failed", error: new GatewayError(code, { message }) };
};

/** One object for each code, which saves memory. */
const textless = new Map<ErrorCode, EventOutcome>();

const withoutText = (outcome: EventOutcome): EventOutcome => {
  if (outcome.status !== "failed") return outcome;
  const { code } = outcome.error;
  const known = textless.get(code) ?? { status: "failed", error: new GatewayError(code) };
  textless.set(code, known);
  return known;
};

/**
 * Repeats of a call that carries an `Idempotency-Key` (the IETF draft of that name) get the first call's outcomes
 * instead of a second write. In one process, and for as long as it remembers.
 */
import { createHash } from "node:crypto";
import { type ErrorCode, GatewayError } from "../errors.ts";
import type { EventOutcome } from "./produce.ts";
import type { Remembered } from "./remembered.ts";

/**
 * All that makes two calls the same one. Another route is another scope; another body under the same key, or the same
 * bytes as another content type, is another call. How the answer is worded (`Prefer`) makes no difference.
 */
export interface IdempotentCall {
  readonly key: string;
  readonly principal: string;
  /** The route's template. */
  readonly route: string;
  readonly station: string;
  readonly contentType: string;
  readonly body: Buffer;
  /** How many outcomes it is going to have. */
  readonly events: number;
}

export interface Idempotency {
  /**
   * The outcomes of `produce`, or those that the same call had before; who comes while it is under way waits for it.
   * Remembered are calls of which something was stored and nothing can end otherwise the next time: all others are
   * carried out again. Rejects with OVERLOADED, and then nothing is stored, while there is no memory for the outcomes.
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

export const createIdempotency = ({ windowMs, remembered }: IdempotencyOptions): Idempotency => {
  const underWay = new Map<string, Promise<readonly EventOutcome[]>>();

  const carryOut = async (
    name: string,
    reserved: number,
    produce: () => Promise<readonly EventOutcome[]>,
  ): Promise<readonly EventOutcome[]> => {
    let held = reserved;
    try {
      const outcomes = await produce();
      if (held === 0 || !isFinal(outcomes)) return outcomes;
      const bytes = sizeOfAll(outcomes);
      const fits = bytes <= held || remembered.reserve(bytes - held) === "reserved";
      if (fits) held = Math.max(held, bytes);
      const kept = fits ? outcomes.map(withoutCause) : outcomes.map(withoutText);
      const keptBytes = fits ? bytes : held;
      remembered.keep(name, kept, { bytes: keptBytes, ttlMs: windowMs });
      held -= keptBytes;
      return outcomes;
    } finally {
      remembered.release(held);
      underWay.delete(name);
    }
  };

  return {
    once: (call, produce) => {
      const name = nameOf(call);
      const known = remembered.get(name);
      if (known !== undefined) return Promise.resolve(known);
      const running = underWay.get(name);
      if (running !== undefined) return running;
      const bytes = ENTRY_BYTES + call.events * OUTCOME_BYTES;
      const answer = remembered.reserve(bytes);
      if (answer === "full") return Promise.reject(new GatewayError("OVERLOADED"));
      // A call that is larger than all the memory isn't protected, as one that was forgotten.
      const first = carryOut(name, answer === "reserved" ? bytes : 0, produce);
      underWay.set(name, first);
      return first;
    },
  };
};

/** Of the name, the entry and the list. */
const ENTRY_BYTES = 400;
/** Of a stored event, or of a refused one without its text. */
const OUTCOME_BYTES = 120;
const ERROR_BYTES = 400;

const sizeOfAll = (outcomes: readonly EventOutcome[]): number => {
  let bytes = ENTRY_BYTES + outcomes.length * OUTCOME_BYTES;
  for (const outcome of outcomes)
    if (outcome.status === "failed") bytes += ERROR_BYTES + 2 * outcome.error.message.length;
  return bytes;
};

/** Refusals that may be none the next time, though the event is the same. */
const PASSING: ReadonlySet<ErrorCode> = new Set(["STATION_UNKNOWN", "PARTITION_UNKNOWN", "RECORD_REFUSED"]);

/** Where nothing is stored a repeat does no harm, and its answer is the newest. */
const isFinal = (outcomes: readonly EventOutcome[]): boolean =>
  outcomes.some(({ status }) => status === "stored") &&
  outcomes.every(
    (outcome) =>
      outcome.status === "stored" ||
      (outcome.error.outcome === "refused" && !PASSING.has(outcome.error.code)),
  );

/** A cause may hold the whole event. */
const withoutCause = (outcome: EventOutcome): EventOutcome => {
  if (outcome.status === "stored") return outcome;
  const { code, message } = outcome.error;
  return { status: "failed", error: new GatewayError(code, { message }) };
};

/** One object for each code. */
const textless = new Map<ErrorCode, EventOutcome>();

const withoutText = (outcome: EventOutcome): EventOutcome => {
  if (outcome.status === "stored") return outcome;
  const { code } = outcome.error;
  const known = textless.get(code) ?? { status: "failed", error: new GatewayError(code) };
  textless.set(code, known);
  return known;
};

/** A digest: keys come from clients, and may be as long as a header. */
const nameOf = ({ key, principal, route, station, contentType, body }: IdempotentCall): string =>
  createHash("sha256")
    .update(JSON.stringify([key, principal, route, station, contentType]))
    .update(body)
    .digest("base64");

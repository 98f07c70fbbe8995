/** What a client that prefers `return=representation` is told of each event. */
import { ERRORS, type GatewayError } from "../errors.ts";
import type { EventOutcome } from "../ingest/produce.ts";

export type EventResult =
  | {
      readonly status: "stored";
      readonly partition: number;
      /** Decimal: Kafka's offsets exceed what JSON's readers hold exactly. */
      readonly offset: string;
      /** Milliseconds since the epoch. */
      readonly timestamp: number;
    }
  | { readonly status: "refused" | "unknown"; readonly error: string };

/**
 * The Memphis API knows three results. "unknown" is each event that no broker has confirmed, whether it was never
 * handed over or its answer got lost: the client may send it again, where a refused one will be refused again.
 */
export const eventResult = (outcome: EventOutcome, textOf: TextOf = ownText): EventResult => {
  if (outcome.status === "stored") {
    const { partition, offset, timestamp } = outcome;
    return { status: "stored", partition, offset: offset.toString(), timestamp };
  }
  const { error } = outcome;
  return { status: error.outcome === "refused" ? "refused" : "unknown", error: textOf(error) };
};

/** What an answer says of a failure. */
export type TextOf = (error: GatewayError) => string;

const ownText: TextOf = ({ message }) => message;

const MOST_CHARACTERS = 1 << 20;

/**
 * The texts of one answer's failures. They are the errors' own up to a million characters in all, and behind these the
 * short texts of their codes: 100,000 events that are refused at length would make an answer of 100 MB.
 */
export const createTexts = (most = MOST_CHARACTERS): TextOf => {
  let left = most;
  return ({ code, message }) => {
    left -= message.length;
    return left < 0 ? ERRORS[code].message : message;
  };
};

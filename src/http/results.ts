/** The result of each event for clients that send `Prefer: return=representation`. */
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
 * The Memphis API knows three results. "unknown" is an event that no broker has acknowledged, because it was not
 * sent or the acknowledgement was lost. The client may send it again. A refused event would be refused again.
 */
export const eventResult = (outcome: EventOutcome, textOf: TextOf = ownText): EventResult => {
  if (outcome.status === "stored") {
    const { partition, offset, timestamp } = outcome;
    return { status: "stored", partition, offset: offset.toString(), timestamp };
  }
  const { error } = outcome;
  return { status: error.outcome === "refused" ? "refused" : "unknown", error: textOf(error) };
};

/** The error text of a failure in an answer. */
export type TextOf = (error: GatewayError) => string;

const ownText: TextOf = ({ message }) => message;

const MOST_CHARACTERS = 1 << 20;

/**
 * The error texts of one answer. After a million characters in total, an error gets the short text of its code:
 * otherwise 100,000 refused events could make an answer of 100 MB.
 */
export const createTexts = (most = MOST_CHARACTERS): TextOf => {
  let left = most;
  return ({ code, message }) => {
    left -= message.length;
    return left < 0 ? ERRORS[code].message : message;
  };
};

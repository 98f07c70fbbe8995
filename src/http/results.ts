/** The result of each event for clients that send `Prefer: return=representation`. */
import type { ServerResponse } from "node:http";
import { ERRORS, type GatewayError } from "../errors.ts";
import type { EventOutcome } from "../ingest/produce.ts";

export type EventResult =
  | {
      readonly status: "stored";
      readonly partition: number;
      /** A decimal text, because JSON readers can't hold large offsets exactly. */
      readonly offset: string;
      /** Milliseconds since the epoch. */
      readonly timestamp: number;
    }
  /** An earlier request with the same id stored the event, in this partition at this offset. */
  | { readonly status: "duplicate"; readonly partition: number; readonly offset: string }
  /** The event is on the disk of this pod, and goes to Kafka later. */
  | { readonly status: "spooled"; readonly partition: null; readonly offset: null }
  | { readonly status: "refused" | "unavailable" | "unknown"; readonly error: string };

/**
 * "unknown": no broker has acknowledged the event, because it was not sent or the acknowledgement was lost; the client may
 * send it again. "unavailable": the id of the event is not resolved yet; the client can send it again. "refused": a retry
 * would be refused too.
 */
export const eventResult = (outcome: EventOutcome, textOf: TextOf = ownText): EventResult => {
  if (outcome.status === "stored") {
    const { partition, timestamp } = outcome;
    const offset = outcome.offset.toString();
    if (outcome.duplicate === true) return { status: "duplicate", partition, offset };
    return { status: "stored", partition, offset, timestamp };
  }
  if (outcome.status === "spooled") return { status: "spooled", partition: null, offset: null };
  const { error } = outcome;
  return { status: failureStatus(error), error: textOf(error) };
};

const failureStatus = ({ code, outcome }: GatewayError): "refused" | "unavailable" | "unknown" => {
  if (code === "ID_UNRESOLVED") return "unavailable";
  return outcome === "refused" ? "refused" : "unknown";
};

/** Marks the answer if an event of the call is in the spool. Call it before the head of the answer is sent. */
export const markSpooled = (response: ServerResponse, outcomes: readonly EventOutcome[]): void => {
  if (outcomes.some(({ status }) => status === "spooled")) response.setHeader("Stationgate-Stored", "spool");
};

/** The error text of a failure in an answer. */
export type TextOf = (error: GatewayError) => string;

const ownText: TextOf = ({ message }) => message;

const MAX_CHARACTERS = 1 << 20;

/**
 * The error texts of one answer. After a million characters in total, the short text of the error's code is used, because
 * 100,000 refused events could make an answer of 100 MB.
 */
export const createTexts = (max = MAX_CHARACTERS): TextOf => {
  let left = max;
  return ({ code, message }) => {
    left -= message.length;
    return left < 0 ? ERRORS[code].message : message;
  };
};

/** What a client that prefers `return=representation` is told of each event. */
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
export const eventResult = (outcome: EventOutcome): EventResult => {
  if (outcome.status === "stored") {
    const { partition, offset, timestamp } = outcome;
    return { status: "stored", partition, offset: offset.toString(), timestamp };
  }
  const { error } = outcome;
  return { status: error.outcome === "refused" ? "refused" : "unknown", error: error.message };
};

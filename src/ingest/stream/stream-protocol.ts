/** The part of a stream that differs by API: how events are read, stored and reported. */
import { asGatewayError, GatewayError } from "../../errors.ts";
import type { IncomingEvent } from "../incoming-event.ts";
import type { EventOutcome } from "../produce.ts";
import type { Cutter } from "./cutters.ts";

/** One event of the stream, or the error if it can't be read. An API may add members. */
export interface StreamItem {
  readonly event: IncomingEvent | GatewayError;
}

/** A report is one line, without its line break. */
export interface StreamProtocol<T extends StreamItem> {
  readonly cutter: Cutter;
  /** Reads the text of an event. Returns an error if the rest of the stream can't be read; it becomes the last report. */
  read(text: Buffer): T | GatewayError;
  /** Settles with one outcome per item, in order. Calls are made in the order of the stream and may overlap. */
  store(items: readonly T[]): Promise<readonly EventOutcome[]>;
  report(item: T, outcome: EventOutcome): string;
  /** The last report of a stream that the gateway ends. */
  ended(error: GatewayError): string;
  /** true: the reports have the order of the events. false: each report is sent as soon as its outcome is known. */
  readonly ordered: boolean;
}

/** Reads texts up to the first one that ends the stream. */
export const readAll = <T extends StreamItem>(
  protocol: StreamProtocol<T>,
  texts: readonly Buffer[],
): { readonly items: readonly T[]; readonly fault: GatewayError | undefined } => {
  const items: T[] = [];
  for (const text of texts) {
    const item = protocol.read(text);
    if (item instanceof GatewayError) return { items, fault: item };
    items.push(item);
  }
  return { items, fault: undefined };
};

/** Stores the items. The error of a refused call becomes the outcome of each of its items. */
export const outcomesOf = <T extends StreamItem>(
  protocol: StreamProtocol<T>,
  items: readonly T[],
): Promise<readonly EventOutcome[]> =>
  items.length === 0
    ? Promise.resolve([])
    : protocol.store(items).catch((thrown: unknown) => {
        const outcome = { status: "failed", error: asGatewayError(thrown) } as const;
        return items.map(() => outcome);
      });

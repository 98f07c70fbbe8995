/** What an API makes of a stream: how its events are read, stored and reported. */
import { asGatewayError, GatewayError } from "../../errors.ts";
import type { IncomingEvent } from "../incoming-event.ts";
import type { EventOutcome } from "../produce.ts";
import type { Cutter } from "./cutters.ts";

/** What a text of the stream says, or why it can't be read; its API may keep more beside. */
export interface StreamItem {
  readonly event: IncomingEvent | GatewayError;
}

/** What an API makes of a stream. Reports are lines, without their end. */
export interface StreamProtocol<T extends StreamItem> {
  readonly cutter: Cutter;
  /** Never throws. An error means that no more can be made of this stream: it becomes the last report. */
  read(text: Buffer): T | GatewayError;
  /** One outcome per item, in order. Calls come in the order of the stream, without waiting for each other. */
  store(items: readonly T[]): Promise<readonly EventOutcome[]>;
  report(item: T, outcome: EventOutcome): string;
  /** The last report of a stream that is ended before its time. */
  ended(error: GatewayError): string;
  /** Do reports keep the order of the events, or does each go out as soon as it is known? */
  readonly ordered: boolean;
}

/** Reads texts up to the first one after which no more can be made of the stream. */
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

/** A call that is refused as a whole is an outcome of each of its events. */
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

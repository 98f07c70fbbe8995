/** The body of a browser's beacon. A beacon has no headers of its own, so the body carries the credential and the event ids. */
import { z } from "zod";
import { GatewayError } from "../errors.ts";
import { afterSpace } from "../lib/json-list.ts";
import { membersOf, OPEN_BRACE, QUOTE, type Span, stringAt } from "../lib/json-scan.ts";
import { paced } from "../lib/event-loop.ts";
import { eventListAt, type EventListLimits } from "./content/event-list.ts";
import { checkJson } from "../formats/json.ts";

export interface BeaconEvent {
  /** Chosen by the client, so that a consumer can drop repeated events. */
  readonly id: string;
  /** The event's source bytes. */
  readonly value: Buffer;
}

/** The envelope without its events. Its credential is not verified yet. */
export interface Beacon {
  readonly token: string | undefined;
  readonly apiKey: string | undefined;
  /** The value that other requests have in the header `Prefer`. */
  readonly prefer: string | undefined;
  /** Finds and counts the events. Throws REQUEST_UNSUPPORTED and EVENTS_TOO_MANY. */
  findEvents(): BeaconEvents;
}

export interface BeaconEvents {
  readonly count: number;
  /** Bytes of all elements, ids included. */
  readonly bytes: number;
  /** Rejects with REQUEST_UNSUPPORTED if an event has an invalid shape. */
  read(): Promise<readonly BeaconEvent[]>;
}

/** The id becomes a record header. */
const MAX_ID_CHARACTERS = 200;

/** The shape of the envelope, for the documentation. */
export const beaconShape = z.object({
  token: z.string().optional(),
  apiKey: z.string().optional(),
  prefer: z.string().optional(),
  events: z.array(
    z.object({
      id: z.string().min(1).max(MAX_ID_CHARACTERS),
      event: z.record(z.string(), z.unknown()),
    }),
  ),
});

/**
 * Reads an envelope `{"token" or "apiKey", "events": [{"id", "event"}]}` without building its events. Throws
 * REQUEST_UNSUPPORTED for an invalid envelope, and JSON_TOO_DEEP.
 */
export const openBeacon = (body: Buffer, limits: EventListLimits): Beacon => {
  checkEnvelope(body, limits);
  const start = afterSpace(body, 0);
  if (body[start] !== OPEN_BRACE) throw unsupported();
  const { spans } = membersOf(body, start, ["token", "apiKey", "prefer", "events"]);
  const [token, apiKey, prefer, events] = spans;
  if (events === undefined) throw unsupported();
  return {
    token: textOf(body, token),
    apiKey: textOf(body, apiKey),
    prefer: textOf(body, prefer),
    findEvents: () => {
      const list = eventListAt(body, { at: events.at, levels: 2 }, limits);
      return {
        count: list.count,
        bytes: list.bytes,
        read: async () => {
          const read: BeaconEvent[] = [];
          await paced(list.count, (i) => read.push(beaconEvent(list.at(i))));
          return read;
        },
      };
    },
  };
};

const unsupported = (cause?: unknown): GatewayError => new GatewayError("REQUEST_UNSUPPORTED", { cause });

const checkEnvelope = (body: Buffer, limits: EventListLimits): void => {
  try {
    checkJson(body, limits);
  } catch (cause) {
    if (cause instanceof GatewayError && cause.code === "JSON_TOO_DEEP") throw cause;
    throw unsupported(cause);
  }
};

const textOf = (body: Buffer, span: Span | undefined): string | undefined => {
  if (span === undefined) return undefined;
  if (body[span.at] !== QUOTE) throw unsupported();
  return stringAt(body, span.at);
};

/** The event must be an object. It keeps its source bytes. */
const beaconEvent = (element: Buffer): BeaconEvent => {
  const [idSpan, event] = membersOf(element, 0, ["id", "event"]).spans;
  const id = textOf(element, idSpan) ?? "";
  if (id === "" || id.length > MAX_ID_CHARACTERS) throw unsupported();
  if (event === undefined || element[event.at] !== OPEN_BRACE) throw unsupported();
  return { id, value: element.subarray(event.at, event.end) };
};

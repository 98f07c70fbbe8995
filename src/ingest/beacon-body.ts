/** The body that a browser's beacon carries: it can't set headers, so credential and ids travel inside. */
import { z } from "zod";
import { GatewayError } from "../errors.ts";
import { afterSpace } from "../lib/json-list.ts";
import { membersOf, OPEN_BRACE, QUOTE, type Span, stringAt } from "../lib/json-scan.ts";
import { paced } from "../lib/event-loop.ts";
import { eventListAt, type EventListLimits } from "./content/event-list.ts";
import { checkJson } from "./content/json.ts";

export interface BeaconEvent {
  /** The client's own, for whoever drops what was sent twice. */
  readonly id: string;
  /** The event's source bytes. */
  readonly value: Buffer;
}

/** An envelope of which only the outside has been read: its sender isn't known yet. */
export interface Beacon {
  readonly token: string | undefined;
  readonly apiKey: string | undefined;
  /** What the header `Prefer` would say. */
  readonly prefer: string | undefined;
  /** Counts the events. Throws REQUEST_UNSUPPORTED and EVENTS_TOO_MANY. */
  findEvents(): BeaconEvents;
}

export interface BeaconEvents {
  readonly count: number;
  /** Bytes of all elements, ids included. */
  readonly bytes: number;
  /** Rejects with REQUEST_UNSUPPORTED. */
  read(): Promise<readonly BeaconEvent[]>;
}

/** A record header is an odd place for a long id. */
const MAX_ID_CHARACTERS = 200;

/** The envelope, for the documentation. */
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
 * Opens an envelope `{"token" or "apiKey", "events": [{"id", "event"}]}`. Nothing is built of its events, whatever is in
 * their place. Throws REQUEST_UNSUPPORTED for what is no such envelope, and JSON_TOO_DEEP.
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

/** Each event is an object and keeps its own source bytes, as in a batch. */
const beaconEvent = (element: Buffer): BeaconEvent => {
  const [idSpan, event] = membersOf(element, 0, ["id", "event"]).spans;
  const id = textOf(element, idSpan) ?? "";
  if (id === "" || id.length > MAX_ID_CHARACTERS) throw unsupported();
  if (event === undefined || element[event.at] !== OPEN_BRACE) throw unsupported();
  return { id, value: element.subarray(event.at, event.end) };
};

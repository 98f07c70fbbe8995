/** The body that a browser's beacon carries: it can't set headers, so credential and ids travel inside. */
import { z } from "zod";
import { GatewayError } from "../errors.ts";
import type { ContentLimits } from "./content/content-type.ts";
import { parseJson } from "./content/json.ts";
import { elementsOf, memberOf, valueAt } from "../lib/json-members.ts";
import { skipSpace } from "../lib/json-scan.ts";

export interface BeaconEvent {
  /** The client's own, for whoever drops what was sent twice. */
  readonly id: string;
  /** The event's source bytes. */
  readonly value: Buffer;
}

export interface Beacon {
  readonly token: string | undefined;
  readonly apiKey: string | undefined;
  /** What the header `Prefer` would say. */
  readonly prefer: string | undefined;
  readonly events: readonly BeaconEvent[];
}

/** A record header is an odd place for a long id. */
const MAX_ID_CHARACTERS = 200;

/** The envelope. */
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
 * Reads an envelope `{"token" or "apiKey", "events": [{"id", "event"}]}`; each event is an object and keeps its own
 * source bytes, as in a batch. Throws REQUEST_UNSUPPORTED for anything else, and JSON_TOO_DEEP.
 */
export const parseBeacon = (body: Buffer, limits: ContentLimits): Beacon => {
  const parsed = beaconShape.safeParse(parsedJson(body, limits));
  if (!parsed.success) throw new GatewayError("REQUEST_UNSUPPORTED", { cause: parsed.error });
  const { token, apiKey, prefer, events } = parsed.data;
  const elements = elementsOf(body, memberOf(body, skipSpace(body, 0), "events"));
  return {
    token,
    apiKey,
    prefer,
    events: events.map(({ id }, i) => ({
      id,
      value: valueAt(body, memberOf(body, elements[i] ?? 0, "event")),
    })),
  };
};

const parsedJson = (body: Buffer, limits: ContentLimits): unknown => {
  try {
    return parseJson(body, limits);
  } catch (cause) {
    if (cause instanceof GatewayError && cause.code === "JSON_TOO_DEEP") throw cause;
    throw new GatewayError("REQUEST_UNSUPPORTED", { cause });
  }
};

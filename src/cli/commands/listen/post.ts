/** Sends an event to an endpoint: the exact bytes, and the record's headers as HTTP headers. */
import { errnoOf } from "../../../lib/file-system.ts";
import { retryAfterMs } from "../../../lib/units.ts";
import { CommandFailure } from "../../shell.ts";
import type { StreamedEvent } from "../../stream-lines.ts";

export interface Posted {
  /** undefined: no answer. */
  readonly status?: number;
  /** Why there is no answer. */
  readonly error?: string;
  readonly ms: number;
  /** Milliseconds of the answer's Retry-After. */
  readonly waitMs: number;
}

export interface Target {
  readonly url: string;
  readonly station: string;
  readonly signal: AbortSignal;
}

const TIMEOUT = 60_000;

/** Headers that frame the message, or belong to the connection. */
const FRAMING = new Set([
  ...["connection", "content-length", "expect", "host", "keep-alive", "proxy-connection", "te", "trailer"],
  ...["transfer-encoding", "upgrade"],
]);

const PREFIX = "ce_";

/** The HTTP binding of CloudEvents encodes all other bytes, also `"` and `%`. */
const percentEncoded = (value: Buffer): string =>
  Array.from(value, (byte) =>
    byte > 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x25
      ? String.fromCharCode(byte)
      : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`,
  ).join("");

/** Leaves out what HTTP does not allow as a header. */
const requestHeaders = (station: string, event: StreamedEvent): Headers => {
  const headers = new Headers();
  for (const [name, value] of event.headers) {
    if (value === null || FRAMING.has(name.toLowerCase())) continue;
    const isCloudEvent = name.startsWith(PREFIX);
    try {
      if (isCloudEvent) headers.append(`ce-${name.slice(PREFIX.length)}`, percentEncoded(value));
      else headers.append(name, value.toString("latin1"));
    } catch {
      // A record header can have any name and any bytes.
    }
  }
  headers.set("x-stationgate-station", station);
  headers.set("x-stationgate-partition", String(event.partition));
  headers.set("x-stationgate-offset", event.offset);
  return headers;
};

/** Rejects only after the signal: then it is unknown whether the endpoint has the event. */
export const post = async ({ url, station, signal }: Target, event: StreamedEvent): Promise<Posted> => {
  const began = performance.now();
  const elapsed = (): number => Math.round(performance.now() - began);
  try {
    const response = await fetch(url, {
      method: "POST",
      redirect: "manual",
      headers: requestHeaders(station, event),
      body: event.value ?? Buffer.alloc(0),
      signal: AbortSignal.any([signal, AbortSignal.timeout(TIMEOUT)]),
    });
    const ms = elapsed();
    // A connection is used again only after its answer has been read. The status alone decides.
    await response.body?.pipeTo(new WritableStream()).catch(() => undefined);
    return {
      ms,
      status: response.status,
      waitMs: retryAfterMs(response.headers.get("retry-after"), Date.now()),
    };
  } catch (error) {
    if (signal.aborted) throw new CommandFailure("interrupted", "interrupted");
    const { name, message, cause } = error as Error;
    const reason = name === "TimeoutError" ? "no answer in time" : (errnoOf(cause) ?? message);
    return { ms: elapsed(), error: reason, waitMs: 0 };
  }
};

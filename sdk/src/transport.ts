/** Requests to the gateway: the envelope, and the meaning of the answer. */
import type { Entry } from "./entry.ts";
import { tried, within } from "./guard.ts";

/** An element of the gateway's `results`, one for each event. */
export interface Result {
  /**
   * spooled: the event is on the gateway's disk, and partition and offset are null. duplicate: an earlier request stored the
   * event. unavailable and unknown: send the event again.
   */
  readonly status: "stored" | "spooled" | "duplicate" | "refused" | "unavailable" | "unknown";
  readonly partition?: number | null;
  readonly offset?: string | null;
  readonly timestamp?: number;
  readonly error?: string;
}

export interface Answer {
  /** 0: no answer. */
  readonly status: number;
  /** One result for each event, if the gateway answered with results. */
  readonly results?: readonly Result[];
  /** The gateway answered, not a proxy before it. The status of any other answer says nothing about the events. */
  readonly isOwn: boolean;
  readonly error: string;
  /** Retry-After in milliseconds. */
  readonly retryAfter?: number;
}

/** The credential, as a member of the envelope. */
export type Credential = { readonly token: string } | { readonly apiKey: string };

/**
 * The body of every request, also of beacons. It is plain text with the credential inside, so that browsers send no preflight.
 * The JSON of the events is inserted unchanged, so that an event is serialised once.
 */
export const envelope = (entries: readonly Entry[], credential: Credential | undefined): string => {
  const head = JSON.stringify({ ...credential, prefer: "return=representation" }).slice(0, -1);
  return `${head},"events":[${entries.map(({ id, json }) => `{"id":"${id}","event":${json}}`).join()}]}`;
};

/** A year. A longer time is a mistake of the server. */
const MAX_WAIT = 366 * 86_400_000;

/** Parses Retry-After (RFC 9110, 10.2.3), which has seconds or a date. Returns milliseconds from `now`. */
export const retryAfter = (value: string | null, now = Date.now()): number | undefined => {
  if (!value) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now;
  return ms >= 0 ? Math.min(ms, MAX_WAIT) : undefined;
};

export interface Envelope {
  readonly body: string;
  /** Number of events. */
  readonly count: number;
  /** The request goes on after the page has ended. */
  readonly keepalive?: boolean;
}

/** Never rejects, and resolves within `timeout` milliseconds. */
export const post = async (url: string, sent: Envelope, timeout = 30_000): Promise<Answer> => {
  try {
    const abort = tried(() => new AbortController());
    return await within(timeout, exchange(url, sent, abort?.signal), () => abort?.abort());
  } catch (error) {
    return { status: 0, isOwn: false, error: String(error) };
  }
};

const exchange = async (
  url: string,
  { body, count, keepalive = false }: Envelope,
  signal?: AbortSignal,
): Promise<Answer> => {
  const response = await fetch(url, {
    method: "POST",
    body,
    keepalive,
    credentials: "omit",
    // The target of a redirect is not the gateway, and must not get the credential.
    redirect: "manual",
    ...(signal && { signal }),
  });
  const { status, type } = response;
  const text = await response.text();
  const wait = retryAfter(response.headers.get("retry-after"));
  return {
    status,
    ...answerOf(status, text || type, count),
    ...(wait !== undefined && { retryAfter: wait }),
  };
};

/** Maximum characters of an error text, which may be the page of a proxy. */
const MAX_ERROR = 200;

/**
 * Parses the answer to `count` events. It is the gateway's own if it has one valid result for each event and a status that
 * fits them, or `success: false` and an `error`.
 */
export const answerOf = (
  status: number,
  text: string,
  count: number,
): Pick<Answer, "results" | "isOwn" | "error"> => {
  const body: unknown = tried(() => JSON.parse(text) as unknown);
  const { results, success, error } = Object(body) as Record<string, unknown>;
  const words = typeof error === "string" ? error : undefined;
  const isEach = isOneForEach(status, results, count);
  return {
    ...(isEach && { results }),
    isOwn: isEach || (success === false && words !== undefined),
    error: (words ?? text).slice(0, MAX_ERROR),
  };
};

/** With status 200, all events must be stored, now or before, or spooled. */
const isOneForEach = (status: number, results: unknown, count: number): results is readonly Result[] => {
  const allowed = STATUSES[status];
  return (
    allowed !== undefined &&
    Array.isArray(results) &&
    results.length === count &&
    results.every((result) => allowed.includes((Object(result) as Partial<Result>).status))
  );
};

/** The event is stored, now or before, or spooled. */
export const STORED: readonly unknown[] = ["stored", "spooled", "duplicate"];
const ANY: readonly unknown[] = [...STORED, "refused", "unavailable", "unknown"];
const STATUSES: Readonly<Record<number, readonly unknown[]>> = { 200: STORED, 400: ANY, 503: ANY };

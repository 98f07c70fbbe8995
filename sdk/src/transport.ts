/** Requests to the gateway: what goes into one, and what its answer says. */
import type { Entry } from "./entry.ts";
import { tried, within } from "./guard.ts";

/** As in the gateway's `results`, one per event. */
export interface Result {
  readonly status: "stored" | "refused" | "unknown";
  readonly partition?: number;
  readonly offset?: string;
  readonly timestamp?: number;
  readonly error?: string;
}

export interface Answer {
  /** 0: there was none. */
  readonly status: number;
  /** The gateway's own, as many as there were events. */
  readonly results?: readonly Result[];
  /** The gateway answered, not something on the way to it. Only then does a status say anything of the events. */
  readonly isOwn: boolean;
  readonly error: string;
  /** Milliseconds that we are asked to wait. */
  readonly retryAfter?: number;
}

/** The credential as it stands in an envelope. */
export type Credential = { readonly token: string } | { readonly apiKey: string };

/**
 * One form for every way of sending: text that a page may send anywhere without asking first, with all inside that
 * headers would carry. Entries are pasted as they are, so that an event is serialised once.
 */
export const envelope = (entries: readonly Entry[], credential: Credential | undefined): string => {
  const head = JSON.stringify({ ...credential, prefer: "return=representation" }).slice(0, -1);
  return `${head},"events":[${entries.map(({ id, json }) => `{"id":"${id}","event":${json}}`).join()}]}`;
};

/** A year: who asks for more has made a mistake. */
const LONGEST_WAIT = 366 * 86_400_000;

/** Retry-After (RFC 9110, 10.2.3), seconds or a date, in milliseconds from `now`. */
export const retryAfter = (value: string | null, now = Date.now()): number | undefined => {
  if (!value) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now;
  return ms >= 0 ? Math.min(ms, LONGEST_WAIT) : undefined;
};

export interface Envelope {
  readonly body: string;
  /** Events in it. */
  readonly count: number;
  /** May it outlive its page? */
  readonly keepalive?: boolean;
}

/** Never rejects, and answers in time. */
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
    // What it leads to is not the gateway, and must not get the credential.
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

/** A page of a proxy may be the error; nobody wants to read all of it. */
const LONGEST_ERROR = 200;

/**
 * What an answer says of `count` events. It is the gateway's own where it is an object with one valid result for each
 * event, under a status that goes with them; or with `success: false` and an `error`.
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
    error: (words ?? text).slice(0, LONGEST_ERROR),
  };
};

/** 200: all are stored. */
const isOneForEach = (status: number, results: unknown, count: number): results is readonly Result[] => {
  const allowed = STATUSES[status];
  return (
    allowed !== undefined &&
    Array.isArray(results) &&
    results.length === count &&
    results.every((result) => allowed.includes((Object(result) as Partial<Result>).status))
  );
};

const ANY: readonly unknown[] = ["stored", "refused", "unknown"];
const STATUSES: Readonly<Record<number, readonly unknown[]>> = { 200: ["stored"], 400: ANY, 503: ANY };

/** Requests to the gateway: what goes into one, and what its answer says. */
import type { Entry } from "./entry.ts";

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
  readonly results?: readonly Result[];
  readonly error: string;
  /** Milliseconds that the gateway asks us to wait. */
  readonly retryAfter?: number;
}

/** The credential as it stands in an envelope. */
export type Credential = { readonly token: string } | { readonly apiKey: string };

/**
 * One form for every way of sending: text that a page may send anywhere without asking first, with all inside that
 * headers would carry. Entries are pasted as they are, so that an event is serialised once.
 */
export const envelope = (entries: readonly Entry[], credential: Credential): string => {
  const head = JSON.stringify({ ...credential, prefer: "return=representation" }).slice(0, -1);
  return `${head},"events":[${entries.map(({ id, json }) => `{"id":"${id}","event":${json}}`).join()}]}`;
};

/** Retry-After (RFC 9110, 10.2.3), seconds or a date, in milliseconds from `now`. */
export const retryAfter = (value: string | null, now = Date.now()): number | undefined => {
  if (!value) return undefined;
  const ms = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now;
  return ms >= 0 ? ms : undefined;
};

/** Never rejects. */
export const post = async (url: string, init: RequestInit, timeout = 30_000): Promise<Answer> => {
  const abort = new AbortController();
  const timer = setTimeout(() => {
    abort.abort();
  }, timeout);
  try {
    const response = await fetch(url, {
      ...init,
      method: "POST",
      credentials: "omit",
      signal: abort.signal,
    });
    const text = await response.text();
    const wait = retryAfter(response.headers.get("retry-after"));
    return { status: response.status, ...bodyOf(text), ...(wait !== undefined && { retryAfter: wait }) };
  } catch (error) {
    return { status: 0, error: String(error) };
  } finally {
    clearTimeout(timer);
  }
};

const bodyOf = (text: string): Pick<Answer, "results" | "error"> => {
  try {
    const { results, error, message } = JSON.parse(text) as Record<string, unknown>;
    return {
      ...(Array.isArray(results) && { results: results as Result[] }),
      error: String(error ?? message),
    };
  } catch {
    return { error: text };
  }
};

/** Sends the pending events at once when the user leaves the page, without waiting for a turn: the page may not come back. */
import type { Entry } from "./entry.ts";
import { tried } from "./guard.ts";
import type { Reaction } from "./reaction.ts";
import type { Session } from "./session.ts";
import { envelope, post } from "./transport.ts";

/** Bytes. All requests of a page that goes away may have 64 KiB together; the rest is for the envelope. */
const QUOTA = 56_000;

export interface Parting {
  /**
   * Sends all events without an outcome. An event in flight is sent again, because its request may end with the page.
   * `isSafe`: all events are stored in the browser, so the next page can send them.
   */
  readonly leave: (isSafe: boolean) => void;
  /** Resolves when no such request is in flight. The page may have come back meanwhile. */
  readonly settled: () => Promise<unknown>;
}

export const createParting = (
  { options, url, pace, register, credentials }: Session,
  { react }: Reaction,
): Parting => {
  let gone = new Set<string>();
  let done: Promise<unknown> | undefined;

  /** Sends a beacon, in halves if the browser refuses its size. A beacon has no answer, so the events stay pending. */
  const beacon = (entries: readonly Entry[], body: (some: readonly Entry[]) => string): boolean => {
    if (tried(() => navigator.sendBeacon(url, body(entries)))) return true;
    const half = entries.length >> 1;
    return half > 0 && beacon(entries.slice(0, half), body) && beacon(entries.slice(half), body);
  };

  return {
    settled: () => done ?? Promise.resolve(),
    leave: (isSafe) => {
      const known = credentials.known();
      const entries = register.pending();
      const maySend = !pace.isImposed() || !isSafe;
      if (!known || !maySend || entries.every(({ id }) => gone.has(id))) return;
      gone = new Set(entries.map(({ id }) => id));
      register.doubt(entries);
      const body = (some: readonly Entry[]): string => envelope(some, known);
      const [first = [], ...others] = portions(entries);
      if (tried(() => "keepalive" in Request.prototype)) {
        const sent = { body: body(first), count: first.length, keepalive: true };
        const answered = post(url, sent, options.timeout)
          .then((answer) => react(first, answer))
          .finally(() => {
            if (done === answered) gone = new Set();
          });
        done = answered;
      } else others.unshift(first);
      others.every((some) => beacon(some, body));
    },
  };
};

/** Divides the entries, in order, into portions that fit into the quota. */
const portions = (entries: readonly Entry[]): Entry[][] => {
  const found: Entry[][] = [];
  let size = Infinity;
  for (const entry of entries) {
    size += entry.bytes;
    if (size > QUOTA) {
      found.push([]);
      size = entry.bytes;
    }
    found[found.length - 1]?.push(entry);
  }
  return found;
};

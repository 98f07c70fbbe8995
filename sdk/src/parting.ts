/** The page may not come back: what it knows of goes out at once, past the queue's turns. */
import type { Entry } from "./entry.ts";
import { tried } from "./guard.ts";
import type { Reaction } from "./reaction.ts";
import type { Session } from "./session.ts";
import { envelope, post } from "./transport.ts";

/** All requests of a page that goes away may carry 64 KiB together; this leaves room for the envelope. */
const QUOTA = 56_000;

export interface Parting {
  /**
   * Sends all that has no outcome yet. An event that is under way goes again, since its request may end with the page.
   * `isSafe`: the next page has all of it, whatever becomes of this.
   */
  readonly leave: (isSafe: boolean) => void;
  /** Resolves when nothing that was sent so is under way any more; the page may have come back. */
  readonly settled: () => Promise<unknown>;
}

export const createParting = (
  { options, url, pace, register, credentials }: Session,
  { react }: Reaction,
): Parting => {
  let gone = new Set<string>();
  let done: Promise<unknown> | undefined;

  /** One that the browser takes may still be lost, so it changes nothing; one that it doesn't take is split. */
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
      const isWelcome = !pace.isImposed() || !isSafe;
      if (!known || !isWelcome || entries.every(({ id }) => gone.has(id))) return;
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

/** Entries in portions of what may be sent on leaving, in order. */
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

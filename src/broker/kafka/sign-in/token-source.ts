/** The token of this process for Kafka: one token, and one fetch at a time, whatever the number of connections is. */
import type { Clock } from "../../../lib/clock.ts";
import { SignInFailure } from "./sasl.ts";

export interface FetchedToken {
  readonly token: string;
  /** Milliseconds from the beginning of the fetch on. */
  readonly lifetime: number;
}

export type TokenOutcome = "ok" | "failed";

export interface TokenReports {
  /** One fetch has ended. */
  readonly onFetch: (outcome: TokenOutcome) => void;
  /** The first failure after a success, or after the start. Others follow silently until the next success. */
  readonly onFailure: (failure: Error) => void;
}

export interface TokenSource {
  /** Rejects with SignInFailure if there is no valid token and the fetch fails, or has just failed. */
  readonly token: () => Promise<string>;
  /** No fetch begins after this. */
  readonly close: () => void;
}

interface TokenSourceOptions extends TokenReports {
  readonly fetch: () => Promise<FetchedToken>;
  readonly clock: Clock;
}

/** The part of a token's lifetime after which it is renewed. */
const RENEWED_AFTER = 0.8;
/** Milliseconds between two fetches: doubled after each failure. They bound the requests that an unreachable endpoint gets. */
const FIRST_PAUSE_MS = 1000;
const LAST_PAUSE_MS = 30_000;

/** Milliseconds before its end from which on a token counts as expired: Kafka knows its end in whole seconds. */
const MARGIN_MS = 1000;

/** Printable ASCII: another character would end the token in the message to Kafka. */
const isToken = (text: string): boolean => /^[!-~]+$/.test(text);

/** Returns the token if it can be sent. Throws SignInFailure, which does not contain the token. */
export const checkedToken = (token: unknown, source: string): string => {
  if (typeof token !== "string" || token === "") throw new SignInFailure(`${source} has no token`);
  if (!isToken(token)) throw new SignInFailure(`${source} has a token with characters that no token has`);
  return token;
};

/**
 * Keeps the token and renews it in time. While the renewal fails, the current token is used until it expires.
 */
export const createTokenSource = ({ fetch, clock, onFetch, onFailure }: TokenSourceOptions): TokenSource => {
  let current: { readonly token: string; readonly expiresAt: number } | undefined;
  let fetching: Promise<string> | undefined;
  let failed: { readonly error: unknown; readonly until: number; readonly pause: number } | undefined;
  let cancel = (): void => undefined;
  let isClosed = false;

  const renewAfter = (ms: number): void => {
    cancel();
    if (isClosed) return;
    cancel = clock.after(ms, () => {
      renew().catch(() => undefined);
    });
  };

  const run = async (): Promise<string> => {
    const begunAt = clock.monotonic();
    try {
      const { token, lifetime } = await fetch();
      current = { token, expiresAt: begunAt + lifetime - MARGIN_MS };
      failed = undefined;
      onFetch("ok");
      renewAfter(Math.max(FIRST_PAUSE_MS, lifetime * RENEWED_AFTER));
      return token;
    } catch (error) {
      const pause = Math.min(LAST_PAUSE_MS, failed === undefined ? FIRST_PAUSE_MS : 2 * failed.pause);
      onFetch("failed");
      if (failed === undefined) onFailure(error as Error);
      failed = { error, until: clock.monotonic() + pause, pause };
      // Without a token the next sign-in asks again.
      if (current !== undefined) renewAfter(pause);
      throw error;
    }
  };

  const renew = (): Promise<string> =>
    (fetching ??= run().finally(() => {
      fetching = undefined;
    }));

  return {
    token: async () => {
      const now = clock.monotonic();
      if (current !== undefined && now < current.expiresAt) return current.token;
      current = undefined;
      if (fetching === undefined && failed !== undefined && now < failed.until) throw failed.error;
      if (isClosed) throw new SignInFailure("the gateway is shutting down");
      return renew();
    },
    close: () => {
      isClosed = true;
      cancel();
    },
  };
};

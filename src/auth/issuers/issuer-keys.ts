/**
 * The keys of one issuer in this process. They are fetched in the background, and for a token whose key is unknown. The keys of the
 * last successful fetch stay valid for a bounded time while the issuer is unreachable.
 */
import { GatewayError } from "../../errors.ts";
import { atMost, type Clock } from "../../lib/clock.ts";
import { FetchFailure } from "../json-request.ts";
import type { FetchDocuments, IssuerDocuments } from "./issuer-documents.ts";
import type { JsonObject } from "./jws.ts";
import { type Choice, type KeySet, NO_KEYS, parseKeySet } from "./key-set.ts";

/** The result of a successful fetch as plain data, for other processes. */
export interface KeptKeys {
  readonly jwks: readonly JsonObject[];
  readonly discovery: JsonObject | undefined;
  /** Beginning of the fetch, by `Clock.monotonic`. */
  readonly fetchedAt: number;
}

/** What happens to the keys, for metrics and log lines. */
export interface KeysObserver {
  fetched(outcome: "ok" | "failed"): void;
  /** Called at the first failure, and then every 10 min while the fetches fail. `age`: of the keys in use, in milliseconds. */
  failing(err: unknown, age: number | undefined): void;
  /** The fetch has brought other keys than the fetch before. */
  changed(keys: KeySet): void;
  /** The fetch has brought other keys that can't be used than the fetch before; one text for each. Never empty. */
  leftOut(keys: readonly string[]): void;
}

export interface IssuerKeysOptions {
  readonly fetch: FetchDocuments;
  /** Milliseconds between two fetches in the background. */
  readonly refresh: number;
  /** Milliseconds for which keys stay valid without a successful fetch. */
  readonly maxStale: number;
  /** Milliseconds for one fetch, which may be two requests. */
  readonly fetchTimeout: number;
  readonly clock: Clock;
  readonly observer: KeysObserver;
  /** Called after each successful fetch, for processes that start later. */
  readonly keep?: (keys: KeptKeys) => void;
  /** Called when the keys have changed: tokens and streams of earlier keys must be checked again. */
  readonly onChange?: () => void;
}

export interface IssuerKeys {
  /** Another number: other keys. */
  readonly version: number;
  /** False before the first successful fetch, and when the keys are older than `maxStale`. */
  readonly areAvailable: boolean;
  /** True if the last fetch has failed. */
  readonly hasFailed: boolean;
  /** Milliseconds since the last successful fetch; undefined: there was none. */
  readonly age: number | undefined;
  /** What the last successful fetch has brought, with the discovery document. */
  readonly kept: KeptKeys | undefined;
  choose(kid: string | undefined, algorithm: string): Choice;
  /**
   * Waits for a fetch, for a token whose key is unknown. undefined: such a token has caused a fetch in the last 30 s. Otherwise
   * the promise resolves when the fetch has ended, with or without success. A fetch in the background may have begun before the
   * key was there: if it has brought no key (`isUnknown`), a further fetch begins. Fails with KEYS_UNAVAILABLE if 1,000 calls
   * wait, and after `fetchTimeout`.
   */
  refetch(isUnknown: () => boolean): Promise<void> | undefined;
  /** Takes the keys of another process if they are newer. */
  adopt(keys: KeptKeys): void;
  /** Ends the fetches. The keys can still be used. */
  readonly close: () => void;
}

/** Milliseconds between two fetches that unknown keys cause. */
const COOL_DOWN = 30_000;
/** Milliseconds. `max-age` can't make the interval shorter, and a failed fetch is repeated after this time at the latest. */
const SHORT_INTERVAL = 30_000;
const SILENCE = 600_000;
const MAX_WAITING = 1000;

export const keysUnavailable = (): GatewayError =>
  new GatewayError("KEYS_UNAVAILABLE", { retryAfter: 5, cause: "keys unavailable" });

interface Fetching {
  readonly ended: Promise<void>;
  readonly isForUnknownKey: boolean;
  readonly abort: AbortController;
}

interface LoopOptions extends Pick<IssuerKeysOptions, "clock" | "fetchTimeout"> {
  /** Never rejects. Resolves with the milliseconds from its beginning to the next attempt. */
  readonly attempt: (signal: AbortSignal, began: number) => Promise<number>;
}

/** One fetch at a time, and after each the time of the next. */
const createFetchLoop = ({ clock, fetchTimeout, attempt }: LoopOptions) => {
  let current: Fetching | undefined;
  let cancelNext = (): void => undefined;
  let isClosed = false;

  const run = async (abort: AbortController): Promise<void> => {
    const began = clock.monotonic();
    const cancel = clock.after(fetchTimeout, () => {
      abort.abort(new FetchFailure(`no answer within ${fetchTimeout} ms`));
    });
    const interval = await attempt(abort.signal, began);
    cancel();
    current = undefined;
    if (!isClosed)
      cancelNext = clock.after(Math.max(0, began + interval - clock.monotonic()), () => void begin());
  };

  const begin = (isForUnknownKey = false): Fetching => {
    cancelNext();
    const abort = new AbortController();
    const begun = { ended: run(abort), isForUnknownKey, abort };
    current = begun;
    return begun;
  };

  return {
    begin,
    current: () => current,
    isClosed: () => isClosed,
    close: (): void => {
      isClosed = true;
      cancelNext();
      current?.abort.abort(new FetchFailure("the issuer was removed from the settings"));
    },
  };
};

interface Held {
  set: KeySet;
  version: number;
  kept: KeptKeys | undefined;
}

/** True if the keys have changed. */
const replace = (held: Held, next: KeySet, kept: KeptKeys): boolean => {
  const isOther = next.id !== held.set.id || held.kept === undefined;
  held.kept = kept;
  if (!isOther) return false;
  held.set = next;
  held.version += 1;
  return true;
};

/** The fetches of one issuer and what they have brought. */
const createFetches = (options: IssuerKeysOptions, held: Held) => {
  const { fetch, refresh, clock, observer, keep, onChange } = options;
  let warnedAt = -Infinity;
  let hasFailed = false;
  let leftOut = "[]";

  const reportLeftOut = (keys: readonly string[]): void => {
    const text = JSON.stringify(keys);
    if (keys.length > 0 && text !== leftOut) observer.leftOut(keys);
    leftOut = text;
  };

  /** Returns the interval to the next fetch. */
  const succeeded = (documents: IssuerDocuments, fetchedAt: number): number => {
    const { keySet, discovery, maxAge = Infinity } = documents;
    const next = parseKeySet(keySet);
    if (next === undefined) throw new FetchFailure("the key set has no list of keys");
    hasFailed = false;
    warnedAt = -Infinity;
    observer.fetched("ok");
    const kept = { jwks: next.jwks, discovery, fetchedAt };
    if (replace(held, next, kept)) {
      observer.changed(next);
      onChange?.();
    }
    reportLeftOut(next.leftOut);
    keep?.(kept);
    return Math.min(refresh, Math.max(maxAge, SHORT_INTERVAL));
  };

  const failed = (err: unknown): void => {
    hasFailed = true;
    observer.fetched("failed");
    if (clock.monotonic() - warnedAt < SILENCE) return;
    warnedAt = clock.monotonic();
    observer.failing(err, held.kept && clock.monotonic() - held.kept.fetchedAt);
  };

  const loop = createFetchLoop({
    ...options,
    attempt: async (signal, began) => {
      try {
        return succeeded(await Promise.race([asked(fetch, signal), aborted(signal)]), began);
      } catch (error) {
        if (!loop.isClosed()) failed(signal.aborted ? signal.reason : error);
        return Math.min(refresh, SHORT_INTERVAL);
      }
    },
  });
  return { ...loop, hasFailed: () => hasFailed };
};

/** Also rejects if `fetch` throws, so that a fetch never ends before `begin` has returned it. */
const asked = async (fetch: FetchDocuments, signal: AbortSignal): Promise<IssuerDocuments> => fetch(signal);

const aborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => {
    signal.addEventListener("abort", () => {
      reject(signal.reason as Error);
    });
  });

export const createIssuerKeys = (options: IssuerKeysOptions): IssuerKeys => {
  const { maxStale, fetchTimeout, clock, onChange } = options;
  const held: Held = { set: NO_KEYS, version: 0, kept: undefined };
  const fetches = createFetches(options, held);
  let askedAt = -Infinity;
  let waiting = 0;

  const age = (): number | undefined => held.kept && clock.monotonic() - held.kept.fetchedAt;

  /** The fetch that a token with an unknown key may wait for. */
  const fetchForUnknownKey = (): Fetching | undefined => {
    const current = fetches.current();
    if (fetches.isClosed() || current?.isForUnknownKey === true) return current;
    if (clock.monotonic() - askedAt < COOL_DOWN) return undefined;
    if (current !== undefined) return current;
    askedAt = clock.monotonic();
    return fetches.begin(true);
  };

  const waitFor = async ({ ended, isForUnknownKey }: Fetching, isUnknown: () => boolean): Promise<void> => {
    const end = clock.monotonic() + fetchTimeout;
    await ended;
    if (isForUnknownKey || fetches.hasFailed() || !isUnknown()) return;
    const further = fetchForUnknownKey()?.ended.then(() => true);
    if (further === undefined) return;
    const hasEnded = await atMost(clock, end - clock.monotonic(), further);
    if (hasEnded === undefined) throw keysUnavailable();
  };

  fetches.begin();
  return {
    get version() {
      return held.version;
    },
    get areAvailable() {
      return (age() ?? Infinity) < maxStale;
    },
    get hasFailed() {
      return fetches.hasFailed();
    },
    get age() {
      return age();
    },
    get kept() {
      return held.kept;
    },
    choose: (kid, algorithm) => held.set.choose(kid, algorithm),
    refetch: (isUnknown) => {
      const joined = fetchForUnknownKey();
      if (joined === undefined) return undefined;
      if (waiting >= MAX_WAITING) throw keysUnavailable();
      waiting += 1;
      return waitFor(joined, isUnknown).finally(() => {
        waiting -= 1;
      });
    },
    adopt: (keys) => {
      const next = parseKeySet({ keys: keys.jwks });
      if (next === undefined || keys.fetchedAt <= (held.kept?.fetchedAt ?? -Infinity)) return;
      if (replace(held, next, keys)) onChange?.();
    },
    close: fetches.close,
  };
};

/**
 * The latest versions of subjects. A version that is in use is refreshed in the background in the second half of `cacheTtl`;
 * a version that was idle is asked for again before it is used. So a new version is in use within `cacheTtl`, and events of
 * a busy subject never wait. While the registry is unavailable, the old version is used at once.
 */
import { LRUCache } from "lru-cache";
import { asGatewayError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import type { Place } from "./requests.ts";

export interface LatestOptions {
  readonly clock: Clock;
  /** Milliseconds. */
  readonly cacheTtlMs: number;
  /** Rejects with REGISTRY_UNAVAILABLE, or with the refusal if the subject has no usable latest version. */
  readonly ask: (subject: string) => Promise<Place>;
  readonly isDown: () => boolean;
  /** An old version was used because the registry was unavailable. */
  readonly onStale: () => void;
}

export interface Latest {
  /** The version to use at once. undefined: ask. */
  recall(subject: string): Place | undefined;
  /** Asks the registry. Uses the old version if the registry is unavailable. Rejects as `ask` does. */
  ask(subject: string): Promise<Place>;
}

interface Entry {
  readonly place: Place;
  /** When the question for it began. */
  readonly askedAt: number;
  isRefreshing: boolean;
  /** No refresh begins before this time. */
  refreshAt: number;
}

/** Milliseconds between two refreshes while the registry is unavailable. */
const REFRESH_PAUSE_MS = 1000;
/** Bytes of the names of subjects. */
const MAX_BYTES = 8 * 1024 * 1024;
const ENTRY_BYTES = 128;

export const createLatest = ({ clock, cacheTtlMs, ask, isDown, onStale }: LatestOptions): Latest => {
  const entries = new LRUCache<string, Entry>({
    maxSize: MAX_BYTES,
    sizeCalculation: (_, subject) => subject.length + ENTRY_BYTES,
  });

  const fetch = async (subject: string): Promise<Place> => {
    const askedAt = clock.now();
    try {
      const { id, version } = await ask(subject);
      const place = { id, version };
      entries.set(subject, { place, askedAt, isRefreshing: false, refreshAt: askedAt + cacheTtlMs / 2 });
      return place;
    } catch (error) {
      if (asGatewayError(error).code !== "REGISTRY_UNAVAILABLE") entries.delete(subject);
      throw error;
    }
  };

  const refresh = async (subject: string, entry: Entry): Promise<void> => {
    entry.isRefreshing = true;
    try {
      await fetch(subject);
    } catch {
      // The line reports the outage; a refusal is remembered for the next question.
      entry.refreshAt = clock.now() + REFRESH_PAUSE_MS;
    } finally {
      entry.isRefreshing = false;
    }
  };

  return {
    recall: (subject) => {
      const entry = entries.get(subject);
      if (entry === undefined) return undefined;
      const now = clock.now();
      const age = now - entry.askedAt;
      // The clock may have been set back.
      const isFresh = age >= 0 && age < cacheTtlMs;
      if (!isFresh && !entry.isRefreshing && !isDown()) return undefined;
      if (now >= entry.refreshAt && !entry.isRefreshing) void refresh(subject, entry);
      if (!isFresh) onStale();
      return entry.place;
    },
    ask: async (subject) => {
      try {
        return await fetch(subject);
      } catch (error) {
        const entry = entries.get(subject);
        if (entry === undefined) throw error;
        onStale();
        return entry.place;
      }
    },
  };
};

/** Readiness: whether the process can store an event now. */
import { GatewayError } from "../errors.ts";

export interface Health {
  /**
   * Resolves if an event can be stored now. Rejects with BROKER_UNAVAILABLE, or with SHUTTING_DOWN after `shutDown`.
   * Asks the broker at most once in `cacheMs`.
   */
  ready(): Promise<void>;
  /** From now on `ready` always rejects. */
  shutDown(): void;
}

export interface HealthOptions {
  /** See `Broker.check`. */
  readonly check: () => Promise<void>;
  readonly cacheMs: number;
  readonly now: () => number;
}

export const createHealth = ({ check, cacheMs, now }: HealthOptions): Health => {
  let isShuttingDown = false;
  let latest: { readonly askedAt: number; readonly result: Promise<void> } | undefined;

  const checked = (): Promise<void> => {
    if (latest === undefined || now() - latest.askedAt >= cacheMs) {
      latest = { askedAt: now(), result: check() };
    }
    return latest.result;
  };

  return {
    ready: async () => {
      if (isShuttingDown)
        throw new GatewayError("SHUTTING_DOWN", { message: "The process is shutting down" });
      await checked();
    },
    shutDown: () => {
      isShuttingDown = true;
    },
  };
};

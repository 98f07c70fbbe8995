/** Liveness and readiness: the process lives; it could store an event now. */
import { GatewayError } from "../errors.ts";

export interface Health {
  /**
   * Resolves when an event could be stored now. Rejects with BROKER_UNAVAILABLE or, once the process is going
   * down, with SHUTTING_DOWN. Asks the broker at most once in `cacheMs`, however many ask here.
   */
  ready(): Promise<void>;
  /** From here on the process is never ready again. */
  shutDown(): void;
}

export interface HealthOptions {
  /** Resolves when the broker could store a record, else rejects; see `Broker.check`. */
  readonly check: () => Promise<void>;
  readonly cacheMs: number;
  readonly now: () => number;
}

export const createHealth = ({ check, cacheMs, now }: HealthOptions): Health => {
  let goingDown = false;
  let latest: { readonly askedAt: number; readonly result: Promise<void> } | undefined;

  const checked = (): Promise<void> => {
    if (latest === undefined || now() - latest.askedAt >= cacheMs) {
      latest = { askedAt: now(), result: check() };
    }
    return latest.result;
  };

  return {
    ready: async () => {
      if (goingDown) throw new GatewayError("SHUTTING_DOWN", { message: "The process is shutting down" });
      await checked();
    },
    shutDown: () => {
      goingDown = true;
    },
  };
};

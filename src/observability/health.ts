/** Readiness: whether the process can store an event now. */
import { GatewayError } from "../errors.ts";

export interface Readiness {
  /** True: events go to the spool, because Kafka is unavailable or the spool is not drained yet. */
  readonly isSpooling: boolean;
}

export interface Health {
  /**
   * Resolves if an event can be stored now. Rejects with BROKER_UNAVAILABLE, or with SHUTTING_DOWN after `shutDown`.
   * Asks the broker at most once in `cacheMs`.
   */
  ready(): Promise<Readiness>;
  /** From now on `ready` always rejects. */
  shutDown(): void;
  /** From now on an unavailable broker does not matter while the spool takes events and has room. */
  spoolFrom(read: () => SpoolReadiness): void;
}

export interface HealthOptions {
  /** See `Broker.check`. */
  readonly check: () => Promise<void>;
  readonly cacheMs: number;
  readonly now: () => number;
}

/** The part of the spool that readiness needs. */
export interface SpoolReadiness extends Readiness {
  readonly hasRoom: boolean;
}

export const createHealth = ({ check, cacheMs, now }: HealthOptions): Health => {
  let isShuttingDown = false;
  let spool = (): SpoolReadiness | undefined => undefined;
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
      const { isSpooling = false, hasRoom = false } = spool() ?? {};
      if (!isSpooling || !hasRoom) await checked();
      return { isSpooling };
    },
    spoolFrom: (read) => {
      spool = read;
    },
    shutDown: () => {
      isShuttingDown = true;
    },
  };
};

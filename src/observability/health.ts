/** Readiness: whether the process can store an event now. */
import { GatewayError } from "../errors.ts";

export interface Readiness {
  /** True: events go to the spool, because the broker is unavailable or the spool is not drained yet. */
  readonly isSpooling: boolean;
  /** True: the broker is unavailable, and the spool has no events yet. */
  readonly isSpoolEmpty?: boolean;
}

export interface Health {
  /**
   * Resolves if an event can be stored now. Rejects with BROKER_UNAVAILABLE, with SPOOL_FULL if there is a spool without
   * room, or with SHUTTING_DOWN after `shutDown`.
   * Asks the broker at most once in `cacheMs`.
   */
  ready(): Promise<Readiness>;
  /** From now on `ready` always rejects. */
  shutDown(): void;
  /** From now on an unavailable broker does not matter while the spool has room. */
  spoolFrom(read: () => SpoolReadiness): void;
}

export interface HealthOptions {
  /** See `Broker.check`. */
  readonly check: (asks: boolean) => Promise<void>;
  readonly cacheMs: number;
  readonly now: () => number;
}

/** The part of the spool that readiness needs. */
export interface SpoolReadiness {
  /** True: the spool has events. */
  readonly isSpooling: boolean;
  readonly hasRoom: boolean;
}

export const createHealth = ({ check, cacheMs, now }: HealthOptions): Health => {
  let isShuttingDown = false;
  let spool = (): SpoolReadiness | undefined => undefined;
  let latest:
    { readonly askedAt: number; readonly asks: boolean; readonly result: Promise<void> } | undefined;

  const checked = (asks: boolean): Promise<void> => {
    if (latest === undefined || now() - latest.askedAt >= cacheMs || (asks && !latest.asks)) {
      latest = { askedAt: now(), asks, result: check(asks) };
    }
    return latest.result;
  };

  return {
    ready: async () => {
      if (isShuttingDown)
        throw new GatewayError("SHUTTING_DOWN", { message: "The process is shutting down" });
      const known = spool();
      if (known?.isSpooling === true && known.hasRoom) return { isSpooling: true };
      try {
        // Without room, events get 503 from the beginning of the outage on: records that were stored before it prove nothing.
        await checked(known?.hasRoom === false);
        return { isSpooling: known?.isSpooling === true };
      } catch (cause) {
        if (known === undefined) throw cause;
        if (known.hasRoom) return { isSpooling: true, isSpoolEmpty: true };
        throw new GatewayError("SPOOL_FULL", {
          message: "The broker is unavailable and the spool is full",
          cause,
        });
      }
    },
    spoolFrom: (read) => {
      spool = read;
    },
    shutDown: () => {
      isShuttingDown = true;
    },
  };
};

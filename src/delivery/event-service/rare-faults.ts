import type { ErrorCode } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";
import type { DeliveryObserver } from "../engine/observer.ts";

const SILENCE_MS = 5000;

/** An outage is one fault and not one for each client: of faults of a kind one in five seconds is told. */
export const createRareFaults = (observer: DeliveryObserver, clock: Clock): DeliveryObserver => {
  const toldAt = new Map<ErrorCode, number>();
  return {
    ...observer,
    fault: (name, error) => {
      const now = clock.now();
      if (now - (toldAt.get(error.code) ?? -Infinity) < SILENCE_MS) return;
      toldAt.set(error.code, now);
      observer.fault(name, error);
    },
  };
};

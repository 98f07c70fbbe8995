/** The new settings of one process that serves: at most one attempt of a reload is prepared at a time. */
import type { Attempt, Prepare, Prepared } from "./reload-control.ts";
import { startFault } from "./start-faults.ts";

export interface Preparation {
  /** Resolves with the fault if the process can't swap. Discards an earlier attempt. Never rejects. */
  prepare(attempt: Attempt): Promise<string | undefined>;
  /** Returns false if this attempt is not prepared. */
  swap(attempt: number): boolean;
  /** Also of an attempt that is being prepared. */
  discard(attempt: number): void;
}

/** The text of an error while settings are prepared. It has no secret: the errors of this program have none. */
const faultOf = (error: unknown): string =>
  (startFault(error) ?? (error instanceof Error ? error : undefined))?.message ?? "unknown fault";

export const createPreparation = (prepare: Prepare): Preparation => {
  let newest: number | undefined;
  let ready: Prepared | undefined;

  const drop = (): void => {
    ready?.discard();
    ready = newest = undefined;
  };

  return {
    prepare: async ({ attempt, settings, tls }) => {
      drop();
      newest = attempt;
      try {
        const prepared = await prepare(settings, tls);
        if (newest !== attempt) {
          prepared.discard();
          return "the attempt was discarded";
        }
        ready = prepared;
        return undefined;
      } catch (error) {
        if (newest === attempt) newest = undefined;
        return faultOf(error);
      }
    },
    swap: (attempt) => {
      if (newest !== attempt || ready === undefined) return false;
      ready.swap();
      ready = newest = undefined;
      return true;
    },
    discard: (attempt) => {
      if (newest === attempt) drop();
    },
  };
};

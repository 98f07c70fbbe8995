/** The tabs of a site send in turn, by Web Locks. If Web Locks are missing, refuse or never answer, the tab sends without a turn. */
import { later, tried } from "./guard.ts";

/** Runs the work in the turn of this tab, and settles as the work does. */
export type InTurn = <T>(work: () => Promise<T>) => Promise<T>;

/** Maximum wait for a turn, in milliseconds, after a wait was too long: a frozen tab holds the lock. */
const IMPATIENCE = 1000;

/** `longest`: maximum duration of the work of another tab, in milliseconds. */
export const createTurns = (name: string, longest: number): InTurn => {
  let patience = longest;
  return <T>(work: () => Promise<T>) =>
    new Promise<T>((resolve) => {
      let run: Promise<T> | undefined;
      /** Starts the work once, also if the turn comes after the timeout. */
      const go = (): Promise<T> => (run ??= work());
      const end = (): void => {
        clearTimeout(timer);
        resolve(go());
      };
      const timer = later(() => {
        patience = IMPATIENCE;
        // Two tabs may now send the same event, with the same id.
        end();
      }, patience);
      const turn = tried(() =>
        navigator.locks.request(name, () => {
          clearTimeout(timer);
          patience = longest;
          return go();
        }),
      );
      if (turn) turn.then(end, end);
      else end();
    });
};

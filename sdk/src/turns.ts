/** All tabs of a site take turns, by Web Locks; where these are missing, refuse or never answer, it goes without. */
import { later, tried } from "./guard.ts";

/** Does the work in its turn; settles as the work does. */
export type InTurn = <T>(work: () => Promise<T>) => Promise<T>;

/** Milliseconds to wait for a turn once one has not come: its holder is a tab that the browser has frozen. */
const IMPATIENCE = 1000;

/** `longest` is what the work of another tab may take, in milliseconds. */
export const createTurns = (name: string, longest: number): InTurn => {
  let patience = longest;
  return <T>(work: () => Promise<T>) =>
    new Promise<T>((resolve) => {
      let run: Promise<T> | undefined;
      /** A turn that comes when the work is done already, or under way, adds nothing to it. */
      const go = (): Promise<T> => (run ??= work());
      const end = (): void => {
        clearTimeout(timer);
        resolve(go());
      };
      const timer = later(() => {
        patience = IMPATIENCE;
        // Two tabs may then send the same event, with the same id.
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

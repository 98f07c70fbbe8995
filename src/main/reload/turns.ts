/** One reload at a time. Triggers that arrive during a reload share the next one. */
import type { ReloadAnswer, ReloadTrigger } from "../../http/handlers/operations/reload.ts";
import type { Clock } from "../../lib/clock.ts";

export interface Turn {
  /** The first trigger. */
  readonly trigger: ReloadTrigger;
  /** A change of a file is among the triggers. */
  readonly isOfFile: boolean;
  /** Milliseconds since the epoch: the first trigger. */
  readonly since: number;
}

type Run = (turn: Turn) => Promise<ReloadAnswer>;

interface TurnsOptions {
  readonly clock: Pick<Clock, "now">;
  readonly reload: Run;
  /** A dry run. */
  readonly check: Run;
}

interface Turns {
  next(trigger: ReloadTrigger, options: { readonly dryRun: boolean }): Promise<ReloadAnswer>;
}

interface Waiting {
  turn: Turn;
  readonly answer: Promise<ReloadAnswer>;
}

/** `reload` and `check` must not reject. */
export const createTurns = ({ clock, reload, check }: TurnsOptions): Turns => {
  const waiting = new Map<Run, Waiting>();
  let last: Promise<unknown> = Promise.resolve();

  const begin = (run: Run, trigger: ReloadTrigger): Waiting => {
    const turn = { trigger, isOfFile: trigger === "file", since: clock.now() };
    const mine: Waiting = {
      turn,
      answer: last.then(() => {
        waiting.delete(run);
        return run(mine.turn);
      }),
    };
    waiting.set(run, mine);
    last = mine.answer;
    return mine;
  };

  const join = (run: Run, trigger: ReloadTrigger): Waiting => {
    const found = waiting.get(run);
    if (found === undefined) return begin(run, trigger);
    if (trigger === "file") found.turn = { ...found.turn, isOfFile: true };
    return found;
  };

  return {
    next: async (trigger, { dryRun }) => {
      const answer = await join(dryRun ? check : reload, trigger).answer;
      return "trigger" in answer ? { ...answer, trigger } : answer;
    },
  };
};

/** One reload at a time. Triggers that arrive during a reload share the next one. */
import type { ReloadAnswer, ReloadTrigger } from "../../http/handlers/operations/reload.ts";
import type { Clock } from "../../lib/clock.ts";

export interface Turn {
  /** The first trigger. A repetition counts only if there is no other trigger. */
  readonly trigger: ReloadTrigger;
  /** The gateway itself repeats a reload; `trigger` is the trigger of the repeated one. */
  readonly isRepetition: boolean;
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

interface NextOptions {
  readonly dryRun: boolean;
  readonly isRepetition?: boolean;
}

interface Turns {
  next(trigger: ReloadTrigger, options: NextOptions): Promise<ReloadAnswer>;
}

interface Waiting {
  turn: Turn;
  readonly answer: Promise<ReloadAnswer>;
}

/** `reload` and `check` must not reject. */
export const createTurns = ({ clock, reload, check }: TurnsOptions): Turns => {
  const waiting = new Map<Run, Waiting>();
  let last: Promise<unknown> = Promise.resolve();

  const begin = (run: Run, by: Pick<Turn, "trigger" | "isRepetition">): Waiting => {
    const mine: Waiting = {
      turn: { ...by, since: clock.now() },
      answer: last.then(() => {
        waiting.delete(run);
        return run(mine.turn);
      }),
    };
    waiting.set(run, mine);
    last = mine.answer;
    return mine;
  };

  const join = (run: Run, by: Pick<Turn, "trigger" | "isRepetition">): Waiting => {
    const found = waiting.get(run);
    if (found === undefined) return begin(run, by);
    // The first trigger from outside counts.
    if (found.turn.isRepetition && !by.isRepetition) found.turn = { ...found.turn, ...by };
    return found;
  };

  return {
    next: async (trigger, { dryRun, isRepetition = false }) => {
      const answer = await join(dryRun ? check : reload, { trigger, isRepetition }).answer;
      return "trigger" in answer ? { ...answer, trigger } : answer;
    },
  };
};

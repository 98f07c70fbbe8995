/**
 * Group commit: while one transaction is on its way to the disk, the next one gathers. A flush costs the same for one
 * change as for hundreds, so this is what makes single durable appends fast; no timer, an idle log commits at once.
 */
import { GatewayError } from "../../errors.ts";

export interface Change<T> {
  /** Bytes that it writes, at most. */
  readonly bytes: number;
  /** Writes into the open transaction. */
  readonly stage: () => void;
  /** The change is on the disk: makes it visible, and gives what its submitter gets. */
  readonly applied: () => T;
}

export interface CommitLoopParts {
  /** Resolves when a commit of so many bytes may begin. What it rejects with, each of the commit's changes gets. */
  readonly admit: (bytes: number) => Promise<void>;
  /** Runs `stage` in a transaction; resolves once that is on the disk. */
  readonly commit: (stage: () => void) => Promise<void>;
  /** After a failed commit: whatever `stage` has prepared in memory is void. */
  readonly onFailure: () => void;
  /** Milliseconds after which nobody waits for a commit any longer. */
  readonly stallAfter: number;
}

export interface CommitLoop {
  /** Rejects with BROKER_UNAVAILABLE: not stored, or BROKER_AMBIGUOUS: it may be. */
  readonly submit: <T>(change: Change<T>) => Promise<T>;
  /** Did the last commit succeed, and none hang? */
  readonly healthy: () => boolean;
  /** Resolves when nothing is in flight; what is submitted from now on is refused. */
  readonly close: () => Promise<void>;
}

interface Pending {
  readonly bytes: number;
  readonly stage: () => void;
  readonly settle: () => void;
  readonly reject: (error: GatewayError) => void;
}

const unavailable = (): GatewayError => new GatewayError("BROKER_UNAVAILABLE");

const asFailure = (error: unknown): GatewayError =>
  error instanceof GatewayError ? error : new GatewayError("BROKER_AMBIGUOUS", { cause: error });

/** Makes the function that commits changes together and settles each; it resolves with whether they are stored. */
const roundCommitter = ({ admit, commit, onFailure }: CommitLoopParts) => {
  const attempt = async (round: readonly Pending[]): Promise<void> => {
    await admit(round.reduce((sum, { bytes }) => sum + bytes, 0));
    try {
      await commit(() => {
        for (const { stage } of round) stage();
      });
    } catch (error) {
      onFailure();
      throw error;
    }
  };

  return async (round: readonly Pending[]): Promise<boolean> => {
    try {
      await attempt(round);
    } catch (error) {
      for (const { reject } of round) reject(asFailure(error));
      return false;
    }
    for (const { settle } of round) settle();
    return true;
  };
};

/** A loop at rest. Changes are applied in the order of their submission. */
export const createCommitLoop = (parts: CommitLoopParts): CommitLoop => {
  const commitAll = roundCommitter(parts);
  let waiting: Pending[] = [];
  let running: Promise<void> | undefined;
  let failed = false;
  let stalled = false;
  let closed = false;

  /** A disk that hangs: nobody is kept waiting, and nobody else let in until it comes back. */
  const giveUpOn = (round: readonly Pending[]): void => {
    stalled = true;
    for (const { reject } of round) reject(new GatewayError("BROKER_AMBIGUOUS"));
    for (const { reject } of waiting) reject(unavailable());
    waiting = [];
  };

  const run = async (): Promise<void> => {
    while (waiting.length > 0) {
      const round = waiting;
      waiting = [];
      const alarm = setTimeout(giveUpOn, parts.stallAfter, round);
      failed = !(await commitAll(round));
      clearTimeout(alarm);
      stalled = false;
    }
    running = undefined;
  };

  return {
    submit: ({ bytes, stage, applied }) =>
      new Promise((resolve, reject) => {
        if (closed || stalled) {
          reject(unavailable());
          return;
        }
        const settle = (): void => {
          resolve(applied());
        };
        waiting.push({ bytes, stage, settle, reject });
        // In a microtask: what is submitted together is committed together.
        running ??= Promise.resolve().then(run);
      }),
    healthy: () => !failed && !stalled,
    close: async () => {
      closed = true;
      await running;
    },
  };
};

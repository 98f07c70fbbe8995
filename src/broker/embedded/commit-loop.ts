/**
 * Group commit: while one transaction is being written to the disk, further changes are collected for the next one. A
 * flush takes the same time for one change as for hundreds, so this makes single durable appends fast. There is no timer:
 * an idle log commits at once.
 */
import { GatewayError } from "../../errors.ts";
import { type Purpose, PURPOSES } from "./disk-space.ts";

export interface Change<T> {
  /** Default: records. */
  readonly purpose?: Purpose;
  /** Maximum bytes that the change writes. */
  readonly bytes: number;
  /** Writes into the open transaction. */
  readonly stage: () => void;
  /** Called when the change is on the disk: makes it visible and returns the result for the submitter. */
  readonly applied: () => T;
}

export interface CommitLoopParts {
  /**
   * Resolves when a commit of this many bytes may begin. `purpose` is the last one in PURPOSES of its changes. If it rejects, each change of this
   * purpose gets its error, and the other changes are tried without them.
   */
  readonly admit: (bytes: number, purpose: Purpose) => Promise<void>;
  /** Runs `stage` in a transaction and resolves when the transaction is on the disk. */
  readonly commit: (stage: () => void) => Promise<void>;
  /** Called after a failed commit: discards the state that `stage` has prepared in memory. */
  readonly onFailure: () => void;
  /** Milliseconds after which the changes of a hanging commit fail. */
  readonly stallAfter: number;
}

export interface CommitLoop {
  /** Rejects with BROKER_UNAVAILABLE (not stored) or BROKER_AMBIGUOUS (may be stored). */
  readonly submit: <T>(change: Change<T>) => Promise<T>;
  /** True if all changes of the last commit are stored and no commit hangs. */
  readonly healthy: () => boolean;
  /** Refuses further changes, and resolves when no commit is in flight. */
  readonly close: () => Promise<void>;
}

interface Pending {
  readonly purpose: Purpose;
  readonly bytes: number;
  readonly stage: () => void;
  readonly settle: () => void;
  readonly reject: (error: GatewayError) => void;
}

const unavailable = (): GatewayError => new GatewayError("BROKER_UNAVAILABLE");

const asFailure = (error: unknown): GatewayError =>
  error instanceof GatewayError ? error : new GatewayError("BROKER_AMBIGUOUS", { cause: error });

const rejectAll = (round: readonly Pending[], error: unknown): void => {
  for (const { reject } of round) reject(asFailure(error));
};

/** Returns a function that commits changes together and settles each change. It resolves to true if all of them are stored. */
const roundCommitter = ({ admit, commit, onFailure }: CommitLoopParts) => {
  /** The changes that may be committed. The other ones are rejected. */
  const admitted = async (round: readonly Pending[]): Promise<readonly Pending[]> => {
    const purpose = PURPOSES.findLast((one) => round.some((change) => change.purpose === one));
    if (purpose === undefined) return [];
    try {
      await admit(
        round.reduce((sum, { bytes }) => sum + bytes, 0),
        purpose,
      );
      return round;
    } catch (error) {
      rejectAll(
        round.filter((change) => change.purpose === purpose),
        error,
      );
      return admitted(round.filter((change) => change.purpose !== purpose));
    }
  };

  return async (round: readonly Pending[]): Promise<boolean> => {
    const changes = await admitted(round);
    if (changes.length === 0) return false;
    try {
      await commit(() => {
        for (const { stage } of changes) stage();
      });
    } catch (error) {
      onFailure();
      rejectAll(changes, error);
      return false;
    }
    for (const { settle } of changes) settle();
    return changes.length === round.length;
  };
};

/** Changes are applied in the order of their submission. */
export const createCommitLoop = (parts: CommitLoopParts): CommitLoop => {
  const commitAll = roundCommitter(parts);
  let waiting: Pending[] = [];
  let running: Promise<void> | undefined;
  let failed = false;
  let stalled = false;
  let closed = false;

  /** The disk hangs: fails all waiting changes, and new changes until the commit returns. */
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
      const timer = setTimeout(giveUpOn, parts.stallAfter, round);
      failed = !(await commitAll(round));
      clearTimeout(timer);
      stalled = false;
    }
    running = undefined;
  };

  return {
    submit: ({ purpose = "records", bytes, stage, applied }) =>
      new Promise((resolve, reject) => {
        if (closed || stalled) {
          reject(unavailable());
          return;
        }
        const settle = (): void => {
          resolve(applied());
        };
        waiting.push({ purpose, bytes, stage, settle, reject });
        // Starts in a microtask, so that changes that are submitted together are committed together.
        running ??= Promise.resolve().then(run);
      }),
    healthy: () => !failed && !stalled,
    close: async () => {
      closed = true;
      await running;
    },
  };
};

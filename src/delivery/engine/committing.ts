/** Commits the positions of claims: soon after records finish, and one commit after another. */
import type { GroupPosition, Subscription } from "../../broker/broker.ts";
import { asGatewayError, type GatewayError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";
import { encodeRanges } from "./offset-tracker.ts";
import type { Claim } from "./claims.ts";

export interface Committing {
  /** Call it when a record is finished. Commits within half a second, or at once after `maxUncommitted` records. */
  due(): void;
  /** Call it when records were only read and skipped. Reading them again is cheap, so it commits within half a minute. */
  dueLater(): void;
  /**
   * Commits the changed positions of these claims now, with the finished offsets beyond them. A failure is reported and
   * tried again.
   */
  commit(claims: readonly Claim[]): Promise<void>;
  close(): void;
}

export interface CommittingOptions {
  readonly clock: Clock;
  readonly commit: Subscription["commit"];
  readonly claims: () => readonly Claim[];
  /** A commit starts after this many finished records. They are sent again if the process dies or freezes before the commit. */
  readonly maxUncommitted: number;
  readonly onError: (error: GatewayError) => void;
}

const INTERVAL_MS = 500;
const LATER_MS = 30_000;

const changedPositions = (claims: readonly Claim[]): readonly (GroupPosition & { readonly claim: Claim })[] =>
  claims.flatMap((claim) => {
    const { topic, partition, tracker } = claim;
    const offset = tracker.position();
    if (offset === undefined) return [];
    const metadata = encodeRanges(offset, tracker.finishedRanges());
    if (offset === claim.committed && metadata === claim.metadata) return [];
    return [{ topic, partition, offset, metadata, claim }];
  });

/** True: the newest position of each claim is committed. */
export const areStored = (claims: readonly Claim[]): boolean => changedPositions(claims).length === 0;

const markCommitted = (positions: ReturnType<typeof changedPositions>): void => {
  for (const { claim, offset, metadata } of positions) Object.assign(claim, { committed: offset, metadata });
};

export const createCommitting = (options: CommittingOptions): Committing => {
  const { clock, claims, onError, maxUncommitted } = options;
  let cancel: (() => void) | undefined;
  let cancelLater: (() => void) | undefined;
  let last = Promise.resolve();
  /** Records that were finished since the last commit started. */
  let finished = 0;
  let isCommitting = false;
  /** After a failed commit the next one waits for the interval. */
  let hasFailed = false;

  const store = async (which: readonly Claim[]): Promise<void> => {
    const positions = changedPositions(which);
    if (positions.length === 0) return;
    try {
      await options.commit(positions.map(({ claim: _, ...position }) => position));
      markCommitted(positions);
      hasFailed = false;
    } catch (error) {
      hasFailed = true;
      onError(asGatewayError(error));
      commitSoon();
    }
  };

  /** Commits run one after another, so that an older position never overwrites a newer one. */
  const commit = (which: readonly Claim[]): Promise<void> => (last = last.then(() => store(which)));

  const commitAll = async (): Promise<void> => {
    cancel?.();
    cancel = undefined;
    finished = 0;
    isCommitting = true;
    await commit(claims().filter(({ revoked }) => !revoked));
    isCommitting = false;
    if (finished > 0) schedule();
  };

  const schedule = (): void => {
    if (finished >= maxUncommitted && !hasFailed) void commitAll();
    else commitSoon();
  };

  const commitSoon = (): void => {
    cancel ??= clock.after(INTERVAL_MS, () => void commitAll());
  };

  const due = (): void => {
    finished += 1;
    if (!isCommitting) schedule();
  };

  const dueLater = (): void => {
    cancelLater ??= clock.after(LATER_MS, () => {
      cancelLater = undefined;
      commitSoon();
    });
  };

  return {
    due,
    dueLater,
    commit,
    close: () => {
      cancel?.();
      cancelLater?.();
      cancel = undefined;
      cancelLater = undefined;
    },
  };
};

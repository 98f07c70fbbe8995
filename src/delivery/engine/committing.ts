import type { GroupPosition, Subscription } from "../../broker/broker.ts";
import { asGatewayError, type GatewayError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";
import { encodeRuns } from "./offset-tracker.ts";
import type { Claim } from "./claims.ts";

export interface Committing {
  /** A record was finished: its position is stored within half a second, and sooner where many are. */
  due(): void;
  /** Nothing was done but to read on, which is as quickly done again: the position is stored within half a minute. */
  dueLater(): void;
  /** Stores the positions of these claims, and what is finished beyond them, now, where that has changed; a failure is reported and tried again. */
  commit(claims: readonly Claim[]): Promise<void>;
  close(): void;
}

export interface CommittingOptions {
  readonly clock: Clock;
  readonly subscription: () => Pick<Subscription, "commit">;
  readonly claims: () => readonly Claim[];
  /** So many finished records are stored at once: they come again if the process ends, or is frozen, before. */
  readonly most: number;
  readonly onError: (error: GatewayError) => void;
}

const INTERVAL_MS = 500;
const LATER_MS = 30_000;

const moved = (claims: readonly Claim[]): readonly (GroupPosition & { readonly claim: Claim })[] =>
  claims.flatMap((claim) => {
    const { topic, partition, tracker } = claim;
    const offset = tracker.position();
    if (offset === undefined) return [];
    const metadata = encodeRuns(offset, tracker.finishedRuns());
    if (offset === claim.committed && metadata === claim.metadata) return [];
    return [{ topic, partition, offset, metadata, claim }];
  });

const markCommitted = (positions: ReturnType<typeof moved>): void => {
  for (const { claim, offset, metadata } of positions) Object.assign(claim, { committed: offset, metadata });
};

export const createCommitting = (options: CommittingOptions): Committing => {
  const { clock, subscription, claims, onError, most } = options;
  let cancel: (() => void) | undefined;
  let cancelLater: (() => void) | undefined;
  let last = Promise.resolve();
  /** Since positions were last stored. */
  let finished = 0;
  let isStoring = false;
  /** The last commit failed: the next one waits for its time. */
  let hasFailed = false;

  const store = async (which: readonly Claim[]): Promise<void> => {
    const positions = moved(which);
    if (positions.length === 0) return;
    try {
      await subscription().commit(positions.map(({ claim: _, ...position }) => position));
      markCommitted(positions);
      hasFailed = false;
    } catch (error) {
      hasFailed = true;
      onError(asGatewayError(error));
      soon();
    }
  };

  /** One after the other, so that no older position overtakes a newer one. */
  const commit = (which: readonly Claim[]): Promise<void> => (last = last.then(() => store(which)));

  const commitAll = async (): Promise<void> => {
    cancel?.();
    cancel = undefined;
    finished = 0;
    isStoring = true;
    await commit(claims().filter(({ revoked }) => !revoked));
    isStoring = false;
    if (finished > 0) inTime();
  };

  const inTime = (): void => {
    if (finished >= most && !hasFailed) void commitAll();
    else soon();
  };

  const soon = (): void => {
    cancel ??= clock.after(INTERVAL_MS, () => void commitAll());
  };

  const due = (): void => {
    finished += 1;
    if (!isStoring) inTime();
  };

  const dueLater = (): void => {
    cancelLater ??= clock.after(LATER_MS, () => {
      cancelLater = undefined;
      soon();
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

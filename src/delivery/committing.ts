import type { GroupPosition, Subscription } from "../broker/broker.ts";
import { asGatewayError, type GatewayError } from "../errors.ts";
import type { Clock } from "../lib/clock.ts";
import { encodeRuns } from "./finished-runs.ts";
import type { Claim } from "./item.ts";

export interface Committing {
  /** Something was finished: its position is stored within half a second. */
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

export const createCommitting = ({ clock, subscription, claims, onError }: CommittingOptions): Committing => {
  let cancel: (() => void) | undefined;
  let cancelLater: (() => void) | undefined;
  let last = Promise.resolve();

  const store = async (which: readonly Claim[]): Promise<void> => {
    const positions = moved(which);
    if (positions.length === 0) return;
    try {
      await subscription().commit(positions.map(({ claim: _, ...position }) => position));
      for (const { claim, offset, metadata } of positions)
        Object.assign(claim, { committed: offset, metadata });
    } catch (error) {
      onError(asGatewayError(error));
      due();
    }
  };

  /** One after the other, so that no older position overtakes a newer one. */
  const commit = (which: readonly Claim[]): Promise<void> => (last = last.then(() => store(which)));

  const due = (): void => {
    cancel ??= clock.after(INTERVAL_MS, () => {
      cancel = undefined;
      void commit(claims().filter(({ revoked }) => !revoked));
    });
  };

  const dueLater = (): void => {
    cancelLater ??= clock.after(LATER_MS, () => {
      cancelLater = undefined;
      due();
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

/** Counts the units of each claim that are being sent or dropped, and resolves when the count is zero. */
import type { Claim } from "./claims.ts";

export interface Settling {
  begin(claim: Claim): void;
  end(claim: Claim): void;
  settled(claims: readonly Claim[]): Promise<void>;
}

export const createSettling = (): Settling => {
  const waiters = new Set<() => void>();
  return {
    begin(claim) {
      claim.busy += 1;
    },
    end(claim) {
      claim.busy -= 1;
      for (const waiter of waiters) waiter();
    },
    settled: (claims) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (claims.some(({ busy }) => busy > 0)) return;
          waiters.delete(check);
          resolve();
        };
        waiters.add(check);
        check();
      }),
  };
};

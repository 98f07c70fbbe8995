/** Waits until records can be prepared. While a record of a partition waits, the other records of the partition wait too. */
import { asGatewayError } from "../../errors.ts";
import { pause, type Clock } from "../../lib/clock.ts";
import type { Claim, Item } from "./claims.ts";
import type { DeliveryPlan } from "./delivery-plan.ts";
import type { DeliveryObserver } from "./observer.ts";

interface WaitsOptions {
  readonly plan: DeliveryPlan;
  readonly clock: Clock;
  readonly observer: DeliveryObserver;
  /** The wait of a partition is over. The items are in the order in which they were added. */
  readonly onOver: (items: readonly Item[]) => void;
}

export interface Waits {
  /** Adds the item to the wait of its partition. false: the partition does not wait. */
  join(item: Item): boolean;
  /** Begins the wait of a partition with its first item. It is over when the promise is fulfilled. A rejection is tried again. */
  begin(item: Item, readiness: Promise<void>): void;
  /** Ends the wait of a revoked claim, and returns its items. */
  forget(claim: Claim): readonly Item[];
  /** Ends all waits. Their items stay where they are. */
  halt(): void;
}

interface Wait {
  readonly items: Item[];
  readonly ended: AbortController;
}

/** Waits between tries, in milliseconds. The last wait repeats. */
const AGAIN_MS = [500, 1000, 2000, 5000];

export const createWaits = ({ plan, clock, observer, onOver }: WaitsOptions): Waits => {
  const waits = new Map<Claim, Wait>();

  const isReady = async (readiness: Promise<void> | undefined, onError: (error: unknown) => void) => {
    try {
      await readiness;
      return true;
    } catch (error) {
      onError(error);
      return false;
    }
  };

  /** Resolves when the item can be prepared, or when the wait has ended. Only the first failure is reported. */
  const untilReady = async ({ record }: Item, first: Promise<void>, ended: AbortSignal): Promise<void> => {
    const isOver = (): boolean => ended.aborted;
    const onError = (error: unknown): void => {
      if (!isOver()) observer.fault(plan.name, asGatewayError(error));
    };
    let ready = await isReady(first, onError);
    for (let tries = 0; !ready && !isOver(); tries += 1) {
      await pause(clock, AGAIN_MS[Math.min(tries, AGAIN_MS.length - 1)] ?? 0, ended);
      if (!isOver()) ready = await isReady(plan.preparation?.ready(record), () => undefined);
    }
  };

  const run = async (item: Item, readiness: Promise<void>): Promise<void> => {
    const wait: Wait = { items: [item], ended: new AbortController() };
    waits.set(item.claim, wait);
    await untilReady(item, readiness, wait.ended.signal);
    if (wait.ended.signal.aborted) return;
    waits.delete(item.claim);
    onOver(wait.items);
  };

  return {
    join: (item) => {
      const wait = waits.size === 0 ? undefined : waits.get(item.claim);
      wait?.items.push(item);
      return wait !== undefined;
    },
    begin: (item, readiness) => void run(item, readiness),
    forget: (claim) => {
      const wait = waits.get(claim);
      wait?.ended.abort();
      waits.delete(claim);
      return wait?.items ?? [];
    },
    halt: () => {
      for (const { ended } of waits.values()) ended.abort();
      waits.clear();
    },
  };
};

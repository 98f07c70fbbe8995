/** The units of a courier that wait for their turn. */
import type { Clock } from "../../lib/clock.ts";
import type { Unit } from "./batches/batch.ts";
import { createGathering, type Gathering } from "./batches/gathering.ts";
import type { Item } from "./claims.ts";
import type { DeliveryPlan } from "./delivery-plan.ts";
import { createOrderedQueues } from "./ordering.ts";

/** The units in the order in which they may be sent. */
export interface LineUp {
  add(item: Item): void;
  take(): Unit | undefined;
  /** The unit has its final outcome, or is given up. */
  release(unit: Unit): void;
  /** `take` returns the unit again. */
  putBack(unit: Unit): void;
}

export const createRecordLineUp = ({ orderKeyOf }: DeliveryPlan): LineUp => {
  const queues = createOrderedQueues<Unit>();
  return {
    ...queues,
    add: (item) => {
      queues.add(item, orderKeyOf(item.record));
    },
  };
};

/** undefined: the plan has no batches. */
export const createGatheringOf = (
  { plan: { batching, orderKeyOf }, clock }: { readonly plan: DeliveryPlan; readonly clock: Clock },
  onLingered: () => void,
): Gathering | undefined =>
  batching === undefined ? undefined : createGathering({ batching, orderKeyOf, clock, onLingered });

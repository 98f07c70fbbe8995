/**
 * The entrance of the receiving process: divides the events of a call among the homes of their ids, and returns the outcomes in
 * the order of the events.
 */
import { randomInt } from "node:crypto";
import {
  type CallOptions,
  type HomeCallOptions,
  isWithoutOutcome,
  notAppended,
  type OnceEvent,
  type OnceOutcome,
  sendParts,
  sendTogether,
} from "./home-calls.ts";
import { createOrders, type Orders } from "./orders.ts";

export interface AppendOnceOptions extends CallOptions {
  /** Calls with the same object reach each home in the order of the calls. */
  readonly order?: object | undefined;
}

export interface Once {
  /** One outcome per event, in order; never rejects. A duplicate has the first event's partition and offset. */
  append(
    topic: string,
    events: readonly OnceEvent[],
    options: AppendOnceOptions,
  ): Promise<readonly OnceOutcome[]>;
}

export const createOnce = (options: HomeCallOptions): Once => {
  const orders = createOrders();
  return {
    append: async (topic, events, how) => {
      const request = randomInt(2 ** 32);
      const outcomes = new Array<OnceOutcome>(events.length);
      const fill = ({ places }: SlotEvents, results: readonly OnceOutcome[] = []): void => {
        places.forEach((place, index) => {
          outcomes[place] = results[index] ?? notAppended();
        });
      };
      const sendOrdered = async (own: SlotEvents): Promise<void> => {
        const results = await sendInOrder(orders, own.events, how.order, (wanted) =>
          sendParts(options, { topic, slot: own.slot, request, events: wanted, isRepeated: false }, how),
        );
        fill(own, results);
      };
      const sendUnordered = async (slots: readonly SlotEvents[]): Promise<void> => {
        const results = await sendTogether(options, { topic, request, slots }, how);
        slots.forEach((own, index) => {
          fill(own, results[index]);
        });
      };
      const slots = bySlot(events);
      if (how.order !== undefined) await Promise.all(slots.map(sendOrdered));
      else await Promise.all(byHome(options.home, slots).map(sendUnordered));
      return outcomes;
    },
  };
};

/** The events of a slot, and their places in the call. */
interface SlotEvents {
  readonly slot: number;
  readonly events: OnceEvent[];
  readonly places: number[];
}

const bySlot = (events: readonly OnceEvent[]): readonly SlotEvents[] => {
  const slots = new Map<number, SlotEvents>();
  events.forEach((event, place) => {
    const { slot } = event.id;
    const known = slots.get(slot);
    if (known === undefined) slots.set(slot, { slot, events: [event], places: [place] });
    else {
      known.events.push(event);
      known.places.push(place);
    }
  });
  return [...slots.values()];
};

/** Puts the slots together that one process most likely holds. */
const byHome = (
  home: HomeCallOptions["home"],
  slots: readonly SlotEvents[],
): readonly (readonly SlotEvents[])[] => {
  if (slots.length === 1) return [slots];
  const homes = new Map<string | number, SlotEvents[]>();
  for (const own of slots) {
    const name = home.likelyHome(own.slot) ?? own.slot;
    const known = homes.get(name);
    if (known === undefined) homes.set(name, [own]);
    else known.push(own);
  }
  return [...homes.values()];
};

/** An event of a key does not follow an event of this key and order that has ended without an outcome. */
const sendInOrder = async (
  orders: Orders,
  events: readonly OnceEvent[],
  order: object | undefined,
  sendThem: (events: readonly OnceEvent[]) => Promise<readonly OnceOutcome[]>,
): Promise<readonly OnceOutcome[]> => {
  const [first] = events;
  if (order === undefined || first === undefined) return sendThem(events);
  const turn = await orders.take(order, first.id.slot);
  const wanted = events.filter(({ record }) => !turn.hasFailed(record.key));
  const outcomes = wanted.length === 0 ? [] : await sendThem(wanted);
  turn.end(wanted.filter((_, index) => isWithoutOutcome(outcomes[index])).map(({ record }) => record.key));
  const byEvent = new Map(wanted.map((event, index) => [event, outcomes[index]]));
  return events.map((event) => byEvent.get(event) ?? notAppended());
};

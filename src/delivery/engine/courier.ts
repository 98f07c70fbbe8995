/**
 * Carries records to their endpoint: takes them from their lanes, sends, waits and sends again as the strategy says,
 * until each has its final outcome. Knows nothing of subscriptions and commits.
 */
import type { Clock } from "../../lib/clock.ts";
import { type AttemptOptions, createAttempt } from "./attempt.ts";
import type { Claim, Item } from "./claims.ts";
import type { DropEnd } from "./dead-letters.ts";
import { createGate } from "./gate.ts";
import { createOrderedQueues, type OrderedQueues } from "./ordering.ts";
import { createInterruptions, type Interruptions } from "./progress.ts";

/** Promises for the moment in which claims have nothing in hand. */
interface Settling {
  begin(claim: Claim): void;
  end(claim: Claim): void;
  settled(claims: readonly Claim[]): Promise<void>;
}

const createSettling = (): Settling => {
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

/** Where items wait for their time; those that leave before are forgotten. */
interface WaitingRoom<T> {
  readonly size: number;
  wait(item: T, ms: number): void;
  /** Calls off the waits of those items and returns them. */
  dismiss(which: (item: T) => boolean): readonly T[];
}

const createWaitingRoom = <T>(clock: Clock, onTime: (item: T) => void): WaitingRoom<T> => {
  const waits = new Map<T, () => void>();
  return {
    get size() {
      return waits.size;
    },
    wait(item, ms) {
      const cancel = clock.after(ms, () => {
        waits.delete(item);
        onTime(item);
      });
      waits.set(item, cancel);
    },
    dismiss(which) {
      const dismissed = [...waits.keys()].filter(which);
      for (const item of dismissed) {
        waits.get(item)?.();
        waits.delete(item);
      }
      return dismissed;
    },
  };
};

interface CourierOptions extends AttemptOptions {
  /** Gives the record up for good, unless its partition is given up before, or it can't be. */
  readonly drop: (item: Item, abandoned: () => boolean) => Promise<DropEnd>;
  /** The task is stopped, by the strategy or because a record can't be given up; nothing more is sent. */
  readonly onStop: (trace: string) => void;
}

export interface Courier {
  readonly inFlight: number;
  /** Records that wait for the time of an attempt. */
  readonly waiting: number;
  add(item: Item): void;
  /** Sends what may be sent; to be called after `add`. */
  go(): void;
  /** No attempt starts until `resume`; what is in flight comes to its end. */
  pause(): void;
  resume(): void;
  /** Pauses for good. */
  halt(): void;
  /** Forgets what waits of a claim that was revoked. */
  forget(claim: Claim): void;
  /** Forgets what is known of earlier attempts: the topic is another one now. */
  forgetTopic(topic: string): void;
  /** Resolves when nothing of these claims is being sent or dropped. */
  settled(claims: readonly Claim[]): Promise<void>;
}

/** What the parts of one courier share. */
interface CourierState {
  readonly options: CourierOptions;
  readonly lanes: OrderedQueues<Item>;
  readonly room: WaitingRoom<Item>;
  readonly settling: Settling;
  readonly interruptions: Interruptions;
  phase: "going" | "paused" | "halted";
  inFlight: number;
  throttled: boolean;
  /** Starts what may start now; for whenever something has changed. */
  pump: () => void;
}

const finish = ({ lanes }: CourierState, item: Item): void => {
  item.claim.finished(item.record);
  lanes.release(item);
};

/** Its partition is gone; should that come back, the record goes on with the attempts it has had. */
const abandon = ({ lanes, interruptions }: CourierState, item: Item): void => {
  if (item.attempts > 0) interruptions.note(item);
  lanes.release(item);
};

const wait = (courier: CourierState, item: Item, ms: number): void => {
  item.notBefore = courier.options.clock.now() + ms;
  if (item.claim.revoked) abandon(courier, item);
  else courier.room.wait(item, ms);
};

const drop = async (courier: CourierState, item: Item): Promise<void> => {
  const { claim } = item;
  courier.settling.begin(claim);
  const end = await courier.options.drop(item, () => claim.revoked || courier.phase === "halted");
  if (end.action === "dropped") finish(courier, item);
  else if (end.action === "abandoned") abandon(courier, item);
  else stop(courier, end.trace);
  courier.settling.end(claim);
  courier.pump();
};

const stop = (courier: CourierState, trace: string): void => {
  courier.phase = "halted";
  courier.room.dismiss(() => true);
  courier.options.onStop(trace);
};

const createSender = (courier: CourierState): ((item: Item) => Promise<void>) => {
  const attempt = createAttempt(courier.options);
  return async (item) => {
    courier.settling.begin(item.claim);
    courier.inFlight += 1;
    const next = await attempt(item);
    courier.inFlight -= 1;
    // A request that the stop itself broke off says nothing of the record, which is sent again after the next start.
    const isBrokenOff = courier.phase === "halted" && item.claim.ended;
    if (next.action === "finish") finish(courier, item);
    else if (isBrokenOff) abandon(courier, item);
    else if (next.action === "wait") wait(courier, item, next.ms);
    else if (next.action === "drop") void drop(courier, item);
    else stop(courier, next.trace);
    courier.settling.end(item.claim);
    courier.pump();
  };
};

const createPump = (courier: CourierState): (() => void) => {
  const { plan, clock } = courier.options;
  const gate = createGate(plan, clock, courier.interruptions);
  const send = createSender(courier);

  const throttle = (item: Item, ms: number): void => {
    courier.lanes.putBack(item);
    courier.throttled = true;
    clock.after(ms, () => {
      courier.throttled = false;
      courier.pump();
    });
  };

  const pass = (item: Item): void => {
    const passage = gate(item);
    if (passage.action === "send") void send(item);
    else if (passage.action === "wait") courier.room.wait(item, passage.ms);
    else if (passage.action === "throttle") throttle(item, passage.ms);
    else if (passage.action === "skip") finish(courier, item);
    else if (passage.action === "drop") void drop(courier, item);
    else abandon(courier, item);
  };

  return () => {
    while (courier.phase === "going" && courier.inFlight < plan.inFlight && !courier.throttled) {
      const item = courier.lanes.take();
      if (item === undefined) return;
      pass(item);
    }
  };
};

const createDesk = (options: CourierOptions): CourierState => {
  const lanes = createOrderedQueues<Item>();
  const room = createWaitingRoom<Item>(options.clock, (item) => {
    item.notBefore = 0;
    lanes.putBack(item);
    courier.pump();
  });
  const courier: CourierState = {
    options,
    lanes,
    room,
    settling: createSettling(),
    interruptions: createInterruptions(),
    phase: "going",
    inFlight: 0,
    throttled: false,
    pump: () => undefined,
  };
  courier.pump = createPump(courier);
  return courier;
};

export const createCourier = (options: CourierOptions): Courier => {
  const courier = createDesk(options);
  const { lanes, room } = courier;
  return {
    get inFlight() {
      return courier.inFlight;
    },
    get waiting() {
      return room.size;
    },
    add: (item) => {
      lanes.add(item, options.plan.orderKeyOf(item.record));
    },
    go: courier.pump,
    pause: () => {
      if (courier.phase === "going") courier.phase = "paused";
    },
    resume: () => {
      if (courier.phase === "paused") courier.phase = "going";
      courier.pump();
    },
    halt: () => {
      courier.phase = "halted";
      room.dismiss(() => true);
    },
    forget: (claim) => {
      for (const item of room.dismiss((waiting) => waiting.claim === claim)) abandon(courier, item);
      courier.pump();
    },
    forgetTopic: (topic) => {
      courier.interruptions.forget(topic);
    },
    settled: (claims) => courier.settling.settled(claims),
  };
};

/**
 * Carries records to their endpoint: takes them from their lanes, sends, waits and sends again as the strategy says,
 * until each has its final outcome. Knows nothing of subscriptions and commits.
 */
import type { Clock } from "../../lib/clock.ts";
import { type AttemptOptions, createAttempt } from "./attempt.ts";
import type { Claim, Item } from "./claims.ts";
import type { DropEnd } from "./dead-letters.ts";
import { createGate } from "./gate.ts";
import { createLanes, type Lanes } from "./ordering.ts";
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
interface Desk {
  readonly options: CourierOptions;
  readonly lanes: Lanes<Item>;
  readonly room: WaitingRoom<Item>;
  readonly settling: Settling;
  readonly interruptions: Interruptions;
  state: "going" | "paused" | "halted";
  inFlight: number;
  throttled: boolean;
  /** Starts what may start now; for whenever something has changed. */
  pump: () => void;
}

const finish = ({ lanes }: Desk, item: Item): void => {
  item.claim.finished(item.record);
  lanes.release(item);
};

/** Its partition is gone; should that come back, the record goes on with the attempts it has had. */
const abandon = ({ lanes, interruptions }: Desk, item: Item): void => {
  if (item.attempts > 0) interruptions.note(item);
  lanes.release(item);
};

const wait = (desk: Desk, item: Item, ms: number): void => {
  item.notBefore = desk.options.clock.now() + ms;
  if (item.claim.revoked) abandon(desk, item);
  else desk.room.wait(item, ms);
};

const drop = async (desk: Desk, item: Item): Promise<void> => {
  const { claim } = item;
  desk.settling.begin(claim);
  const end = await desk.options.drop(item, () => claim.revoked || desk.state === "halted");
  if (end.action === "dropped") finish(desk, item);
  else if (end.action === "abandoned") abandon(desk, item);
  else stop(desk, end.trace);
  desk.settling.end(claim);
  desk.pump();
};

const stop = (desk: Desk, trace: string): void => {
  desk.state = "halted";
  desk.room.dismiss(() => true);
  desk.options.onStop(trace);
};

const createSender = (desk: Desk): ((item: Item) => Promise<void>) => {
  const attempt = createAttempt(desk.options);
  return async (item) => {
    desk.settling.begin(item.claim);
    desk.inFlight += 1;
    const next = await attempt(item);
    desk.inFlight -= 1;
    if (next.action === "finish") finish(desk, item);
    else if (next.action === "wait") wait(desk, item, next.ms);
    else if (next.action === "drop") void drop(desk, item);
    else stop(desk, next.trace);
    desk.settling.end(item.claim);
    desk.pump();
  };
};

const createPump = (desk: Desk): (() => void) => {
  const { plan, clock } = desk.options;
  const gate = createGate(plan, clock, desk.interruptions);
  const send = createSender(desk);

  const throttle = (item: Item, ms: number): void => {
    desk.lanes.putBack(item);
    desk.throttled = true;
    clock.after(ms, () => {
      desk.throttled = false;
      desk.pump();
    });
  };

  const pass = (item: Item): void => {
    const passage = gate(item);
    if (passage.action === "send") void send(item);
    else if (passage.action === "wait") desk.room.wait(item, passage.ms);
    else if (passage.action === "throttle") throttle(item, passage.ms);
    else if (passage.action === "skip") finish(desk, item);
    else if (passage.action === "drop") void drop(desk, item);
    else abandon(desk, item);
  };

  return () => {
    while (desk.state === "going" && desk.inFlight < plan.inFlight && !desk.throttled) {
      const item = desk.lanes.take();
      if (item === undefined) return;
      pass(item);
    }
  };
};

const createDesk = (options: CourierOptions): Desk => {
  const lanes = createLanes<Item>();
  const room = createWaitingRoom<Item>(options.clock, (item) => {
    item.notBefore = 0;
    lanes.putBack(item);
    desk.pump();
  });
  const desk: Desk = {
    options,
    lanes,
    room,
    settling: createSettling(),
    interruptions: createInterruptions(),
    state: "going",
    inFlight: 0,
    throttled: false,
    pump: () => undefined,
  };
  desk.pump = createPump(desk);
  return desk;
};

export const createCourier = (options: CourierOptions): Courier => {
  const desk = createDesk(options);
  const { lanes, room } = desk;
  return {
    get inFlight() {
      return desk.inFlight;
    },
    get waiting() {
      return room.size;
    },
    add: (item) => {
      lanes.add(item, options.plan.laneOf(item.record));
    },
    go: desk.pump,
    pause: () => {
      if (desk.state === "going") desk.state = "paused";
    },
    resume: () => {
      if (desk.state === "paused") desk.state = "going";
      desk.pump();
    },
    halt: () => {
      desk.state = "halted";
      room.dismiss(() => true);
    },
    forget: (claim) => {
      for (const item of room.dismiss((waiting) => waiting.claim === claim)) abandon(desk, item);
      desk.pump();
    },
    forgetTopic: (topic) => {
      desk.interruptions.forget(topic);
    },
    settled: (claims) => desk.settling.settled(claims),
  };
};

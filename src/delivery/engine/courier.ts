/**
 * Sends records to their endpoint. The courier takes records from the ordered queues, sends each, waits and sends again
 * as the strategy says, until the record has its final outcome. It knows nothing of subscriptions and commits.
 */
import type { Clock } from "../../lib/clock.ts";
import { type AttemptOptions, createAttempt } from "./attempt.ts";
import type { Claim, Item } from "./claims.ts";
import type { DropEnd } from "./dead-letters.ts";
import { createGate } from "./gate.ts";
import { createOrderedQueues, type OrderedQueues } from "./ordering.ts";
import type { PreparedRecord } from "./delivery-plan.ts";
import { createInterruptions, type Interruptions } from "./progress.ts";
import { createWaits, type Waits } from "./waits.ts";

interface CourierOptions extends AttemptOptions {
  /** Dead-letters or discards the record. Ends early when `abandoned` returns true. */
  readonly drop: (item: Item, abandoned: () => boolean) => Promise<DropEnd>;
  /** Called when the strategy stops the task, or when a dead letter can't be stored. Nothing more is sent. */
  readonly onStop: (trace: string) => void;
}

export interface Courier {
  readonly inFlight: number;
  /** Number of records that wait for the time of their next attempt. */
  readonly waiting: number;
  add(item: Item): void;
  /** Starts the attempts that may start now. Call it after `add`. */
  go(): void;
  /** No attempt starts until `resume`. Requests in flight finish. */
  pause(): void;
  resume(): void;
  /** No attempt starts any more. */
  halt(): void;
  /** Removes the waiting records of a revoked claim. */
  forget(claim: Claim): void;
  /** Deletes the noted attempts of a topic, because the topic was deleted and created again. */
  forgetTopic(topic: string): void;
  /** Resolves when no record of these claims is being sent or dropped. */
  settled(claims: readonly Claim[]): Promise<void>;
}

/** Counts the records of each claim that are being sent or dropped, and resolves when the count is zero. */
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

/** The back-off timers of records. */
interface Timers {
  readonly size: number;
  /** Calls `onTime` after `ms` milliseconds, unless the timer is cancelled before. */
  start(item: Item, ms: number, onTime: () => void): void;
  /** Cancels the timers of the items for which `matches` is true, and returns these items. */
  cancel(matches: (item: Item) => boolean): readonly Item[];
}

const createTimers = (clock: Clock): Timers => {
  const timers = new Map<Item, () => void>();
  return {
    get size() {
      return timers.size;
    },
    start(item, ms, onTime) {
      const cancel = clock.after(ms, () => {
        timers.delete(item);
        onTime();
      });
      timers.set(item, cancel);
    },
    cancel(matches) {
      const cancelled = [...timers.keys()].filter(matches);
      for (const item of cancelled) {
        timers.get(item)?.();
        timers.delete(item);
      }
      return cancelled;
    },
  };
};

/** The state of one courier, shared by the functions of this file. */
interface CourierState {
  readonly options: CourierOptions;
  readonly queues: OrderedQueues<Item>;
  readonly timers: Timers;
  readonly waits: Waits;
  readonly settling: Settling;
  readonly interruptions: Interruptions;
  readonly gate: ReturnType<typeof createGate>;
  readonly attempt: ReturnType<typeof createAttempt>;
  phase: "going" | "paused" | "halted";
  inFlight: number;
  throttled: boolean;
}

/** Starts the attempts that may start now. Call it after each change of the state. */
const pump = (courier: CourierState): void => {
  const { inFlight } = courier.options.plan;
  while (courier.phase === "going" && courier.inFlight < inFlight && !courier.throttled) {
    const item = courier.queues.take();
    if (item === undefined) return;
    dispatch(courier, item);
  }
};

const dispatch = (courier: CourierState, item: Item): void => {
  if (courier.waits.join(item)) return;
  const decision = courier.gate(item);
  if (decision.action === "send") void send(courier, item, decision.record);
  else if (decision.action === "wait") startTimer(courier, item, decision.ms);
  else if (decision.action === "throttle") throttle(courier, item, decision.ms);
  else if (decision.action === "skip") finish(courier, item);
  else if (decision.action === "drop") void drop(courier, item);
  else if (decision.action === "prepare") courier.waits.begin(item, decision.readiness);
  else if (decision.action === "stop") stop(courier, decision.trace);
  else abandon(courier, item);
};

const send = async (courier: CourierState, item: Item, record: PreparedRecord | undefined): Promise<void> => {
  courier.settling.begin(item.claim);
  courier.inFlight += 1;
  const next = await courier.attempt(item, record);
  courier.inFlight -= 1;
  // If the stop itself broke the request off, the result says nothing about the record. It is sent again after the next start.
  const isBrokenOff = courier.phase === "halted" && item.claim.ended;
  if (next.action === "finish") finish(courier, item);
  else if (isBrokenOff) abandon(courier, item);
  else if (next.action === "wait") backOff(courier, item, next.ms);
  else if (next.action === "drop") void drop(courier, item);
  else stop(courier, next.trace);
  courier.settling.end(item.claim);
  pump(courier);
};

const drop = async (courier: CourierState, item: Item): Promise<void> => {
  const { claim } = item;
  courier.settling.begin(claim);
  const end = await courier.options.drop(item, () => claim.revoked || courier.phase === "halted");
  if (end.action === "dropped") finish(courier, item);
  else if (end.action === "abandoned") abandon(courier, item);
  else stop(courier, end.trace);
  courier.settling.end(claim);
  pump(courier);
};

const finish = ({ queues }: CourierState, item: Item): void => {
  item.claim.finished(item.record);
  queues.release(item);
};

/** The partition was revoked. The attempts are noted: if the partition comes back, the record continues with them. */
const abandon = ({ queues, interruptions }: CourierState, item: Item): void => {
  if (item.attempts > 0) interruptions.note(item);
  queues.release(item);
};

const backOff = (courier: CourierState, item: Item, ms: number): void => {
  item.notBefore = courier.options.clock.now() + ms;
  if (item.claim.revoked) abandon(courier, item);
  else startTimer(courier, item, ms);
};

const startTimer = (courier: CourierState, item: Item, ms: number): void => {
  courier.timers.start(item, ms, () => {
    item.notBefore = 0;
    courier.queues.putBack(item);
    pump(courier);
  });
};

/** Puts the item back, and starts no attempt at all for `ms` milliseconds. */
const throttle = (courier: CourierState, item: Item, ms: number): void => {
  courier.queues.putBack(item);
  courier.throttled = true;
  courier.options.clock.after(ms, () => {
    courier.throttled = false;
    pump(courier);
  });
};

const halt = (courier: CourierState): void => {
  courier.phase = "halted";
  courier.timers.cancel(() => true);
  courier.waits.halt();
};

const stop = (courier: CourierState, trace: string): void => {
  halt(courier);
  courier.options.onStop(trace);
};

const createState = (options: CourierOptions): CourierState => {
  const { plan, clock } = options;
  const interruptions = createInterruptions();
  const queues = createOrderedQueues<Item>();
  const onOver = (items: readonly Item[]): void => {
    for (const item of items) queues.putBack(item);
    pump(courier);
  };
  const courier: CourierState = {
    options,
    queues,
    timers: createTimers(clock),
    waits: createWaits({ ...options, onOver }),
    settling: createSettling(),
    interruptions,
    gate: createGate(plan, clock, interruptions),
    attempt: createAttempt(options),
    phase: "going",
    inFlight: 0,
    throttled: false,
  };
  return courier;
};

export const createCourier = (options: CourierOptions): Courier => {
  const courier = createState(options);
  return {
    get inFlight() {
      return courier.inFlight;
    },
    get waiting() {
      return courier.timers.size;
    },
    add: (item) => {
      courier.queues.add(item, options.plan.orderKeyOf(item.record));
    },
    go: () => {
      pump(courier);
    },
    pause: () => {
      if (courier.phase === "going") courier.phase = "paused";
    },
    resume: () => {
      if (courier.phase === "paused") courier.phase = "going";
      pump(courier);
    },
    halt: () => {
      halt(courier);
    },
    forget: (claim) => {
      const timed = courier.timers.cancel((waiting) => waiting.claim === claim);
      for (const item of [...timed, ...courier.waits.forget(claim)]) abandon(courier, item);
      pump(courier);
    },
    forgetTopic: (topic) => {
      courier.interruptions.forget(topic);
    },
    settled: (claims) => courier.settling.settled(claims),
  };
};

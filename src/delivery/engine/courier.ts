/**
 * Sends records, or batches of records, to their endpoint. The courier takes units from the line-up, sends each, waits and
 * sends again as the strategy says, until the unit has its final outcome. It knows nothing of subscriptions and commits.
 */
import { type AttemptOptions, createAttempt, type Next } from "./attempt.ts";
import { createTimers, type Timers } from "./back-off-timers.ts";
import { type Batch, isBatch, takeAttempts, type Unit } from "./batches/batch.ts";
import type { Gathering } from "./batches/gathering.ts";
import type { Claim, Item } from "./claims.ts";
import type { DropEnd } from "./dead-letters.ts";
import { createGate, type RecordPassage } from "./gate.ts";
import type { PreparedRecord } from "./delivery-plan.ts";
import type { Report, Unreported } from "./reporting.ts";
import { createGatheringOf, createRecordLineUp, type LineUp } from "./line-up.ts";
import { createSettling, type Settling } from "./settling.ts";
import { createInterruptions, type Interruptions } from "./progress.ts";
import { createWaits, type Waits } from "./waits.ts";

interface CourierOptions extends AttemptOptions {
  /** Dead-letters or discards the record. Ends early when `abandoned` returns true. */
  readonly drop: (item: Item, abandoned: () => boolean) => Promise<DropEnd>;
  /** Writes the reports of a unit. Absent: there are no reports. */
  readonly report?: Report | undefined;
  /** Called when the strategy stops the task, or when a dead letter can't be stored. Nothing more is sent. */
  readonly onStop: (trace: string) => void;
}

export interface Courier {
  readonly inFlight: number;
  /** Number of records, or batches, that wait for the time of their next attempt. */
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

/** The state of one courier, shared by the functions of this file. */
interface CourierState {
  readonly options: CourierOptions;
  readonly lineUp: LineUp;
  /** The line-up, if the plan has batches. */
  readonly gathering: Gathering | undefined;
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

/** Checks the records that have arrived, so that they join batches. */
const gather = (courier: CourierState): void => {
  while (courier.phase === "going") {
    const item = courier.gathering?.takeRecord();
    if (item === undefined) return;
    dispatch(courier, item);
  }
};

/** Starts the attempts that may start now. Call it after each change of the state. */
const pump = (courier: CourierState): void => {
  const { inFlight } = courier.options.plan;
  if (courier.gathering !== undefined) gather(courier);
  while (courier.phase === "going" && courier.inFlight < inFlight && !courier.throttled) {
    const unit = courier.lineUp.take();
    if (unit === undefined) return;
    dispatch(courier, unit);
  }
};

const dispatch = (courier: CourierState, unit: Unit): void => {
  if (!isBatch(unit) && courier.waits.join(unit)) return;
  const decision = courier.gate(unit);
  if (decision.action === "send") void send(courier, unit, decision.record);
  else if (decision.action === "wait") startTimer(courier, unit, decision.ms);
  else if (decision.action === "throttle") throttle(courier, unit, decision.ms);
  else if (decision.action === "skip") finish(courier, unit);
  else if (decision.action === "drop") void drop(courier, unit);
  else if (decision.action === "release") abandon(courier, unit);
  else if (!isBatch(unit)) dispatchRecord(courier, unit, decision);
};

/** The steps that only a record takes, before its first attempt or before it joins a batch. */
const dispatchRecord = (courier: CourierState, item: Item, decision: RecordPassage): void => {
  const { gathering } = courier;
  if (decision.action === "join") gathering?.join(item, decision.record);
  else if (decision.action === "prepare") courier.waits.begin(item, decision.readiness);
  else if (decision.action === "leaveOut") {
    courier.options.observer.skipped(courier.options.plan.name, item.record, decision.reason);
    finish(courier, item);
  } else if (gathering === undefined) void refuse(courier, item, decision.trace);
  else
    gathering.afterEarlier(item, () => {
      void refuse(courier, item, decision.trace);
    });
};

/** Stops the task at a record that can't be sent. If its request can't be made, it is reported first. */
const refuse = async (courier: CourierState, item: Item, trace: string): Promise<void> => {
  courier.settling.begin(item.claim);
  const isReported = item.stage === "TASK_PUT";
  const end = isReported ? await courier.options.report?.(item, abandonedOf(courier, item)) : undefined;
  if (end?.action === "abandoned") abandon(courier, item);
  else stop(courier, trace);
  courier.settling.end(item.claim);
};

const abandonedOf =
  (courier: CourierState, { claim }: Unit) =>
  (): boolean =>
    claim.revoked || courier.phase === "halted";

/** The next step after the reports of a unit that has no further attempt are stored. */
const reported = async (courier: CourierState, unit: Unit, next: Next): Promise<Next | Unreported> => {
  if (next.action === "wait" || courier.options.report === undefined) return next;
  const end = await courier.options.report(unit, abandonedOf(courier, unit));
  return end.action === "stored" ? next : end;
};

const send = async (courier: CourierState, unit: Unit, record: PreparedRecord | undefined): Promise<void> => {
  courier.settling.begin(unit.claim);
  courier.inFlight += 1;
  const attempted = await courier.attempt(unit, record);
  courier.inFlight -= 1;
  // If the stop itself broke the request off, the result says nothing about the unit. It is sent again after the next start.
  const isBrokenOff = attempted.action !== "finish" && courier.phase === "halted" && unit.claim.ended;
  const next = isBrokenOff ? ({ action: "abandoned" } as const) : await reported(courier, unit, attempted);
  if (next.action === "finish") finish(courier, unit);
  else if (next.action === "abandoned") abandon(courier, unit);
  else if (next.action === "wait") backOff(courier, unit, next.ms);
  else if (next.action === "drop") void drop(courier, unit);
  else stop(courier, next.trace);
  courier.settling.end(unit.claim);
  pump(courier);
};

/** Drops the records of a batch one after another. Each is finished then. */
const dropMembers = async (
  courier: CourierState,
  batch: Batch,
  abandoned: () => boolean,
): Promise<DropEnd> => {
  for (const { item } of [...batch.members]) {
    takeAttempts(item, batch);
    const end = await courier.options.drop(item, abandoned);
    if (end.action !== "dropped") return end;
    batch.members.shift();
    batch.claim.finished(item.record);
  }
  return { action: "dropped" };
};

const drop = async (courier: CourierState, unit: Unit): Promise<void> => {
  const { claim } = unit;
  courier.settling.begin(claim);
  const abandoned = abandonedOf(courier, unit);
  const end = await (isBatch(unit)
    ? dropMembers(courier, unit, abandoned)
    : courier.options.drop(unit, abandoned));
  if (end.action === "dropped") finish(courier, unit);
  else if (end.action === "abandoned") abandon(courier, unit);
  else stop(courier, end.trace);
  courier.settling.end(claim);
  pump(courier);
};

const finish = ({ lineUp }: CourierState, unit: Unit): void => {
  if (isBatch(unit)) for (const { item } of unit.members) unit.claim.finished(item.record);
  else unit.claim.finished(unit.record);
  lineUp.release(unit);
};

/** The partition was revoked. The attempts are noted: if the partition comes back, the records continue with them. */
const abandon = ({ lineUp, interruptions }: CourierState, unit: Unit): void => {
  if (unit.attempts > 0) {
    for (const item of isBatch(unit) ? unit.members.map((member) => member.item) : [unit]) {
      if (isBatch(unit)) takeAttempts(item, unit);
      interruptions.note(item);
    }
  }
  lineUp.release(unit);
};

const backOff = (courier: CourierState, unit: Unit, ms: number): void => {
  unit.notBefore = courier.options.clock.now() + ms;
  if (unit.claim.revoked) abandon(courier, unit);
  else startTimer(courier, unit, ms);
};

const startTimer = (courier: CourierState, unit: Unit, ms: number): void => {
  courier.timers.start(unit, ms, () => {
    unit.notBefore = 0;
    courier.lineUp.putBack(unit);
    pump(courier);
  });
};

/** Puts the unit back, and starts no attempt at all for `ms` milliseconds. */
const throttle = (courier: CourierState, unit: Unit, ms: number): void => {
  courier.lineUp.putBack(unit);
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
  courier.gathering?.halt();
};

const stop = (courier: CourierState, trace: string): void => {
  halt(courier);
  courier.options.onStop(trace);
};

const createState = (options: CourierOptions): CourierState => {
  const { plan, clock } = options;
  const interruptions = createInterruptions();
  const gathering = createGatheringOf(options, () => {
    pump(courier);
  });
  const lineUp = gathering ?? createRecordLineUp(plan);
  const onOver = (items: readonly Item[]): void => {
    for (const item of items) lineUp.putBack(item);
    pump(courier);
  };
  const courier: CourierState = {
    options,
    lineUp,
    gathering,
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
      courier.lineUp.add(item);
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
      for (const unit of [...timed, ...courier.waits.forget(claim)]) abandon(courier, unit);
      courier.gathering?.forget(claim);
      pump(courier);
    },
    forgetTopic: (topic) => {
      courier.interruptions.forget(topic);
    },
    settled: (claims) => courier.settling.settled(claims),
  };
};

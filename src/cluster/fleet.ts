/** The workers during a reload: prepare all, swap all, and give workers that start meanwhile the settings of the others. */
import type { Attempt, Fleet } from "../app/reload-control.ts";
import type { ReloadStatus } from "../http/handlers/operations/reload.ts";
import type { Clock } from "../lib/clock.ts";
import type { Slot } from "./messages.ts";
import {
  createReloadCalls,
  type FleetWorker,
  type ReloadCalls,
  SILENCE_MS,
  type StepOutcome,
} from "./reload-calls.ts";

export interface WorkersFleet extends Fleet, Pick<ReloadCalls, "onMessage" | "onEnd"> {
  /** Call it when a worker reads its channel: tells it to begin with the newest settings. */
  begin(worker: FleetWorker): void;
  /**
   * Call it when a worker has started. undefined: it has the newest settings. Otherwise resolves when it has them; false: it
   * can't have them, and has ended or was killed.
   */
  admit(worker: FleetWorker): Promise<boolean> | undefined;
}

export interface FleetOptions {
  readonly clock: Clock;
  /** The settings of the start, with the number 0. */
  readonly first: Attempt;
  readonly status: ReloadStatus;
  /** The workers that take connections now. */
  readonly serving: () => readonly FleetWorker[];
  /** The settings of the worker in this slot. */
  readonly settingsOf: (settings: Attempt["settings"], slot: Slot) => Attempt["settings"];
}

/** An attempt that has not ended yet. */
interface Current {
  readonly attempt: Attempt;
  /** The workers that got a `prepare`. */
  readonly asked: readonly FleetWorker[];
  /** The workers that can swap. */
  ready: readonly FleetWorker[];
  readonly end: () => void;
}

interface Prepared {
  readonly worker: FleetWorker;
  readonly outcome: StepOutcome;
}

const SILENT: StepOutcome = { end: "silent" };

/** Workers that are not asked count as silent. */
const outcomesOf = (
  workers: readonly FleetWorker[],
  asked: readonly FleetWorker[],
  step: (worker: FleetWorker) => Promise<StepOutcome>,
): Promise<readonly Prepared[]> =>
  Promise.all(
    workers.map(async (worker) => ({
      worker,
      outcome: asked.some(({ id }) => id === worker.id) ? await step(worker) : SILENT,
    })),
  );

/** Kills silent workers if another one is ready to swap. Otherwise they are faults: a slow reload must not end all workers. */
const faultsOf = (prepared: readonly Prepared[], { isAnyReady }: { isAnyReady: boolean }) =>
  prepared.flatMap(({ worker, outcome }): readonly string[] => {
    if (outcome.end === "fault") return [`worker ${worker.slot}: ${outcome.fault}`];
    if (outcome.end !== "silent") return [];
    if (!isAnyReady)
      return [`worker ${worker.slot}: it sent nothing for ${SILENCE_MS / 1000} s, and no worker is ready`];
    worker.kill();
    return [];
  });

/** The workers that were silent in an attempt, and have sent nothing since. */
const createSilent = () => {
  const ids = new Set<number>();
  /** Kills one worker that was silent before too: the others keep their connections, and its replacement can be ready. */
  const note = (prepared: readonly Prepared[]): void => {
    const silent = prepared.filter(({ outcome }) => outcome.end === "silent");
    silent.find(({ worker }) => ids.has(worker.id))?.worker.kill();
    for (const { worker } of silent) ids.add(worker.id);
  };
  return {
    /** Messages for a frozen worker wait in the memory of this process, so it gets no further messages. */
    without: (workers: readonly FleetWorker[]): readonly FleetWorker[] =>
      workers.filter(({ id }) => !ids.has(id)),
    faultsOf: (prepared: readonly Prepared[]): readonly string[] => {
      const isAnyReady = prepared.some(({ outcome }) => outcome.end === "done");
      if (!isAnyReady) note(prepared);
      return faultsOf(prepared, { isAnyReady });
    },
    forget: ({ id }: FleetWorker): void => {
      ids.delete(id);
    },
  };
};

export const createFleet = ({ clock, serving, ...options }: FleetOptions): WorkersFleet => {
  const calls = createReloadCalls(clock);
  const versions = createVersions(calls, options);
  const silent = createSilent();
  let { status } = options;
  let current: Current | undefined;

  const end = (): void => {
    current?.end();
    current = undefined;
  };

  return {
    get workers() {
      return serving().length;
    },
    show: (newest) => {
      status = newest;
      for (const worker of serving()) worker.tell({ type: "reload-status", status });
    },
    prepare: async (attempt) => {
      const asked = silent.without(serving());
      const mine: Current = { attempt, asked, ready: [], end: versions.hold() };
      current = mine;
      const outcomes = await outcomesOf(serving(), asked, (worker) => versions.prepare(worker, attempt));
      mine.ready = outcomes.filter(({ outcome }) => outcome.end === "done").map(({ worker }) => worker);
      return silent.faultsOf(outcomes);
    },
    swap: async (number) => {
      if (current?.attempt.attempt !== number) return 0;
      versions.use(current.attempt);
      const outcomes = await Promise.all(current.ready.map((worker) => versions.swap(worker, number)));
      end();
      return outcomes.filter((outcome) => outcome.end === "done").length;
    },
    discard: (attempt) => {
      if (current?.attempt.attempt !== attempt) return;
      for (const worker of current.asked) worker.tell({ type: "discard", attempt });
      end();
    },
    begin: (worker) => {
      worker.tell({ ...{ type: "begin", slot: worker.slot, status }, ...versions.begin(worker) });
    },
    admit: (worker) => {
      // The status may have changed since `begin` also without new settings.
      const tellStatus = (): void => {
        worker.tell({ type: "reload-status", status });
      };
      const admission = versions.admit(worker);
      if (admission === undefined) tellStatus();
      return admission?.finally(tellStatus);
    },
    onMessage: (worker, message) => {
      silent.forget(worker);
      calls.onMessage(worker, message);
    },
    onEnd: (worker) => {
      silent.forget(worker);
      versions.forget(worker);
      calls.onEnd(worker);
    },
  };
};

/** The settings in use, and those of each worker. */
const createVersions = (
  calls: Pick<ReloadCalls, "prepare" | "swap">,
  { first, settingsOf }: Pick<FleetOptions, "first" | "settingsOf">,
) => {
  /** The attempt whose settings a worker has, by the worker's id. */
  const of = new Map<number, number>();
  let inUse = first;
  let held: Promise<void> | undefined;

  const settingsFor = ({ slot }: FleetWorker, { settings, ...rest }: Attempt): Attempt => ({
    ...rest,
    settings: settingsOf(settings, slot),
  });

  const prepare = (worker: FleetWorker, attempt: Attempt) =>
    calls.prepare(worker, settingsFor(worker, attempt));

  const swap = async (worker: FleetWorker, attempt: number): ReturnType<ReloadCalls["swap"]> => {
    if (!of.has(worker.id)) return { end: "gone" };
    const outcome = await calls.swap(worker, attempt);
    if (outcome.end === "done" && of.has(worker.id)) of.set(worker.id, attempt);
    return outcome;
  };

  const isNewest = ({ id }: FleetWorker): boolean => held === undefined && of.get(id) === inUse.attempt;

  /** Waits for the end of a reload, and then swaps this worker alone. */
  const catchUp = async (worker: FleetWorker): Promise<boolean> => {
    while (!isNewest(worker)) {
      await held;
      if (!of.has(worker.id)) return false;
      if (isNewest(worker)) break;
      // The worker swaps to what it has prepared, also if another reload has ended meanwhile.
      const wanted = inUse;
      const prepared = await prepare(worker, wanted);
      const { end } = prepared.end === "done" ? await swap(worker, wanted.attempt) : prepared;
      if (end === "fault" || end === "silent") worker.kill();
      if (end !== "done") return false;
    }
    return true;
  };

  return {
    prepare,
    swap,
    use: (attempt: Attempt): void => {
      inUse = attempt;
    },
    /** Until the returned function is called, no worker is admitted. */
    hold: (): (() => void) => {
      let release = (): void => undefined;
      const mine = new Promise<void>((resolve) => (release = resolve));
      held = mine;
      return () => {
        if (held === mine) held = undefined;
        release();
      };
    },
    begin: (worker: FleetWorker) => {
      of.set(worker.id, inUse.attempt);
      const { settings, tls } = settingsFor(worker, inUse);
      return { settings, tls };
    },
    admit: (worker: FleetWorker) => (isNewest(worker) ? undefined : catchUp(worker)),
    forget: ({ id }: FleetWorker): void => {
      of.delete(id);
    },
  };
};

/** The state machine of reloads in the main process. `docs/decisions/0006-reload.md` has its states. */
import type { Fleet, ReloadControl } from "../../app/reload-control.ts";
import type { Settings } from "../../config/schema/schema.ts";
import type { ReloadAnswer, ReloadStatus, ReloadTrigger } from "../../http/handlers/operations/reload.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Digests } from "../../lib/file-watch/file-watch.ts";
import type { Logger } from "../../observability/logger/logger.ts";
import type { ReloadMetrics } from "../../observability/reload-metrics.ts";
import { createReports, type ReportOptions, type Reports } from "./reports.ts";
import type { InUse, Reading } from "./source.ts";
import { createTurns, type Turn } from "./turns.ts";

export interface ReloaderOptions extends Pick<ReportOptions, "audited"> {
  /** What the start has read. */
  readonly inUse: InUse;
  /** ISO time of the start. */
  readonly startedAt: string;
  readonly read: (inUse: InUse, options: { readonly dryRun: boolean }) => Promise<Reading>;
  readonly fleet: Fleet;
  readonly metrics: ReloadMetrics;
  readonly clock: Clock;
  readonly logger: Pick<Logger, "info" | "warn" | "error">;
  /** Called with the contents that a reload has read, or tried to read. */
  readonly filesRead: (files: Digests) => void;
  /** Called after the swap of the workers. */
  readonly applied: (settings: Settings) => void;
}

export interface Reloader extends ReloadControl {
  /** For the triggers "signal" and "file". Never rejects. */
  trigger(trigger: ReloadTrigger): Promise<ReloadAnswer>;
  /** No further reload begins. */
  stop(): void;
}

/** Milliseconds until the gateway tries again after a worker could not prepare. */
const RETRY_MS = 5000;

type Good = Extract<Reading, { readonly status: "read" }>;

export const createReloader = (options: ReloaderOptions): Reloader => {
  const { read, clock, logger, filesRead } = options;
  const again = (by: ReloadTrigger): void => void turns.next(by, { dryRun: false, isRepetition: true });
  const reports = createReports({ ...options, again });
  const retry = createRetry(clock, again);
  const generations = createGenerations(options);

  const apply = async (turn: Turn, found: Good): Promise<ReloadAnswer> => {
    const { faults, workers } = await generations.apply(found.next);
    if (faults.length > 0) return reports.failed(turn, faults);
    options.applied(found.next.settings);
    const { generation } = generations.status;
    reports.applied(turn, { ...found, generation });
    return { status: "applied", ...answerOf(turn, found, generation), workers, ...faultsOf(found) };
  };

  const good = (status: "unchanged" | "dryRun", turn: Turn, found: Good): ReloadAnswer => ({
    status,
    ...answerOf(turn, found, generations.status.generation),
    workers: options.fleet.workers,
  });

  const reload = async (turn: Turn): Promise<ReloadAnswer> => {
    const found = await read(generations.inUse, { dryRun: false });
    filesRead(found.files);
    if (found.status === "refused") return reports.refused(turn, found.faults);
    if (generations.needRestart(found.needsRestart) && found.needsRestart.length > 0)
      logger.warn({ needsRestart: found.needsRestart }, "settings need a restart");
    reports.kept(turn, found.keptFaults);
    if (found.changed.length > 0) return apply(turn, found);
    if (found.keptFaults.length > 0) return reports.refusedKept(turn, found.keptFaults);
    reports.unchanged(turn);
    return good("unchanged", turn, found);
  };

  const check = async (turn: Turn): Promise<ReloadAnswer> => {
    const found = await read(generations.inUse, { dryRun: true });
    const faults = found.status === "refused" ? found.faults : found.keptFaults;
    return found.status === "refused" || faults.length > 0
      ? { status: "refused", faults }
      : good("dryRun", turn, found);
  };

  const guarded = createGuard({ logger, reports });
  const turns = createTurns({
    clock,
    reload: async (turn) => {
      const answer = await guarded.run(reload, turn);
      retry.after(turn, answer, generations.inUse.settings.reload);
      return answer;
    },
    check: (turn) => guarded.run(check, turn),
  });
  const trigger = (by: ReloadTrigger): Promise<ReloadAnswer> => turns.next(by, { dryRun: false });

  return {
    trigger,
    reload: ({ dryRun }) => turns.next("request", { dryRun }),
    status: () => generations.status,
    stop: () => {
      guarded.stop();
      retry.stop();
      reports.stop();
    },
  };
};

const SHUTTING_DOWN: ReloadAnswer = { status: "failed", faults: ["The process is shutting down"] };

/** Runs turns until it is stopped. */
const createGuard = ({ logger, reports }: { logger: Pick<Logger, "error">; reports: Reports }) => {
  let isStopped = false;
  return {
    run: async (task: (turn: Turn) => Promise<ReloadAnswer>, turn: Turn): Promise<ReloadAnswer> => {
      if (isStopped) return SHUTTING_DOWN;
      try {
        return await task(turn);
      } catch (err) {
        // An error of the program itself, such as a check that throws.
        logger.error({ err, trigger: turn.trigger }, "the reload failed");
        return reports.failed(turn, [err instanceof Error ? err.message : "unknown fault"]);
      }
    },
    stop: (): void => {
      isStopped = true;
    },
  };
};

const answerOf = ({ trigger }: Turn, { changed, needsRestart }: Good, generation: number) => ({
  ...{ trigger, generation, changed, needsRestart },
});

const faultsOf = ({ keptFaults: faults }: Good) => (faults.length > 0 ? { faults } : undefined);

/** The settings in use, and the attempts to replace them. */
const createGenerations = ({ fleet, clock, metrics, ...options }: ReloaderOptions) => {
  let { inUse } = options;
  let attempts = 0;
  let status: ReloadStatus = { generation: 1, loadedAt: options.startedAt, needsRestart: [] };

  const show = (changes: Partial<ReloadStatus>): void => {
    status = { ...status, ...changes };
    fleet.show(status);
  };

  return {
    get inUse() {
      return inUse;
    },
    get status() {
      return status;
    },
    /** Resolves with the faults of the processes that can't serve with the settings; then nothing has changed. */
    apply: async (next: InUse): Promise<{ faults: readonly string[]; workers: number }> => {
      const loadedAt = new Date(clock.now()).toISOString();
      const attempt = ++attempts;
      const faults = await fleet.prepare({ attempt, settings: next.settings, tls: next.tls });
      if (faults.length > 0) {
        fleet.discard(attempt);
        return { faults, workers: 0 };
      }
      const workers = await fleet.swap(attempt);
      inUse = next;
      show({ generation: status.generation + 1, loadedAt });
      return { faults, workers };
    },
    /** Returns true if these are other settings than before. */
    needRestart: (needsRestart: readonly string[]): boolean => {
      if (needsRestart.join() === status.needsRestart.join()) return false;
      show({ needsRestart });
      metrics.restartNeeded(needsRestart.length > 0);
      return true;
    },
  };
};

/**
 * A change that a worker could not prepare is tried again until a reload comes to an end. Its trigger does not count: a signal can
 * be faster than the watcher, which then takes the new contents for known.
 */
const createRetry = (clock: Clock, again: (by: ReloadTrigger) => void) => {
  let cancel: (() => void) | undefined;
  let isStopped = false;
  const stop = (): void => {
    cancel?.();
    cancel = undefined;
  };
  return {
    after: (
      { trigger }: Turn,
      { status }: ReloadAnswer,
      { watch }: Pick<Settings["reload"], "watch">,
    ): void => {
      if (status !== "failed") stop();
      else if (watch && !isStopped)
        cancel ??= clock.after(RETRY_MS, () => {
          cancel = undefined;
          again(trigger);
        });
    },
    stop: (): void => {
      isStopped = true;
      stop();
    },
  };
};

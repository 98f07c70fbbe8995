/** Replays of dead letters. Each connector has at most one replay at a time, over all processes. */
import { GatewayError, asGatewayError } from "../../errors.ts";
import { parseConnectorConfig, writesLettersTo } from "./connector-config.ts";
import type { Expressions } from "../expressions/expressions.ts";
import type { Decoding } from "./decoding.ts";
import { planOf } from "./plan.ts";
import type { References } from "./references.ts";
import { lettersOf, replayPlan, untilReplayed, type LetterPlan } from "../engine/replay.ts";
import { createRunner, type RunnerOptions } from "../engine/runner.ts";
import { configHash, type Entry } from "./directory.ts";

export interface DeadLetters {
  readonly topic: string;
  /** Number of dead letters that no replay has handled. */
  readonly records: number;
  /** A replay is running in this process or in another process. */
  readonly replaying: boolean;
}

export interface Replays {
  /** Rejects with REQUEST_INVALID if the connector has no dead letter topic, and with BROKER_UNAVAILABLE. `start` does too. */
  view(entry: Entry): Promise<DeadLetters>;
  /** Starts to send the current dead letters. Also rejects with REQUEST_INVALID if the connector is paused or stopped. */
  start(entry: Entry): Promise<DeadLetters>;
  /** Ends the replay if the connector was paused, stopped, changed or deleted. Records that were not sent stay dead letters. */
  align(name: string, entry: Entry | undefined): void;
  /** True if a replay is running in this process. */
  isRunning(connector: string): boolean;
  stop(): Promise<void>;
}

export interface ReplaysOptions extends Omit<RunnerOptions, "plan" | "onStopped"> {
  /** Asks all processes, including this process. Absent: there is only this process. */
  readonly replaysAnywhere?: ((connector: string) => Promise<boolean>) | undefined;
  readonly decoding: Decoding;
  readonly expressions: Expressions;
  /** Returns the topic of `audit.station` in use, to which no dead letters are written. */
  readonly auditTopic?: (() => string | undefined) | undefined;
  readonly references: References;
}

interface Running {
  readonly done: Promise<void>;
  /** Hash of the configuration that the plan was made from. */
  readonly config: string;
  readonly cancelled: AbortController;
}

const requireRunning = ({ name, target }: Entry): void => {
  if (target === "RUNNING") return;
  throw new GatewayError("REQUEST_INVALID", {
    message: `Connector ${name} is ${target}; resume it before you replay its dead letters`,
  });
};

type PlanOptions = Pick<ReplaysOptions, "decoding" | "expressions" | "auditTopic" | "references">;

const planFor = ({ name, config }: Entry, options: PlanOptions): LetterPlan => {
  const { decoding, expressions, auditTopic, references } = options;
  const parsed = parseConnectorConfig(name, config, { auditTopic: auditTopic?.(), references });
  if ("model" in parsed) return replayPlan(planOf(parsed.model, decoding, expressions));
  throw new GatewayError("CONNECTOR_CONFIG_INVALID");
};

/** Resolves when the replay has ended or was cancelled. */
const replay = async (options: ReplaysOptions, plan: LetterPlan, cancelled: AbortSignal): Promise<void> => {
  let over = false;
  const runner = createRunner({
    ...options,
    plan,
    onStopped: (trace) => {
      over = true;
      options.observer.fault(plan.name, new GatewayError("DELIVERY_STOPPED", { message: trace }));
    },
  });
  // Stops sending at once. `untilReplayed` notices the end a little later.
  cancelled.addEventListener("abort", () => void runner.stop());
  await untilReplayed(options, plan, {
    isOver: () => over || cancelled.aborted,
    isIdle: () => runner.claims.length > 0 && runner.claims.every(({ records }) => records === 0),
  });
  await runner.stop();
};

export const createReplays = (options: ReplaysOptions): Replays => {
  const { broker, observer } = options;
  const running = new Map<string, Running>();
  const isRunning = (name: string): boolean => running.has(name);
  const isRunningAnywhere = async (name: string): Promise<boolean> =>
    isRunning(name) || ((await options.replaysAnywhere?.(name)) ?? false);
  const begin = ({ name, config }: Entry, plan: LetterPlan): void => {
    const cancelled = new AbortController();
    const done = replay(options, plan, cancelled.signal)
      .catch((error: unknown) => {
        observer.fault(name, asGatewayError(error));
      })
      .finally(() => running.delete(name));
    running.set(name, { done, config: configHash(config), cancelled });
  };

  const view = async (entry: Entry): Promise<DeadLetters> => {
    const { group, deadLetterTopic: topic } = planFor(entry, options);
    const { left } = await lettersOf(broker, group, topic);
    return { topic, records: left, replaying: await isRunningAnywhere(entry.name) };
  };

  return {
    view,
    start: async (entry) => {
      const plan = planFor(entry, options);
      requireRunning(entry);
      const { left, ends } = await lettersOf(broker, plan.group, plan.deadLetterTopic);
      const already = await isRunningAnywhere(entry.name);
      if (!already && left > 0) begin(entry, { ...plan, ends });
      return { topic: plan.deadLetterTopic, records: left, replaying: already || isRunning(entry.name) };
    },
    align: (name, entry) => {
      const replaying = running.get(name);
      if (replaying === undefined) return;
      const continues =
        entry?.target === "RUNNING" &&
        configHash(entry.config) === replaying.config &&
        !writesLettersTo(entry.config, options.auditTopic?.());
      if (!continues) replaying.cancelled.abort();
    },
    isRunning,
    stop: async () => {
      const all = [...running.values()];
      for (const { cancelled } of all) cancelled.abort();
      await Promise.all(all.map(({ done }) => done));
    },
  };
};

/** Replays of dead letters that this process has been asked for: one at a time for each connector, in all processes. */
import { GatewayError, asGatewayError } from "../../errors.ts";
import { parseConnectorConfig } from "./connector-config.ts";
import { planOf } from "./connector-plan.ts";
import { lettersOf, replayPlan, untilReplayed, type LetterPlan } from "../engine/replay.ts";
import { createRunner, type RunnerOptions } from "../engine/runner.ts";
import { printOf, type Entry } from "./directory.ts";

export interface DeadLetters {
  readonly topic: string;
  /** Letters of the topic that no replay has dealt with. */
  readonly records: number;
  /** A replay is running, in this process or in another one that serves with it. */
  readonly replaying: boolean;
}

export interface Replays {
  /** Both reject with REQUEST_INVALID for a connector without dead letter topic, and with BROKER_UNAVAILABLE. */
  view(entry: Entry): Promise<DeadLetters>;
  /** Begins to send the letters that there are now. Also rejects with REQUEST_INVALID for a connector that is paused or stopped. */
  start(entry: Entry): Promise<DeadLetters>;
  /** Ends the replay of a connector that has been paused, stopped, changed or deleted: what was not sent stays a letter. */
  align(name: string, entry: Entry | undefined): void;
  /** In this process. */
  isRunning(connector: string): boolean;
  stop(): Promise<void>;
}

export interface ReplaysOptions extends Omit<RunnerOptions, "plan" | "onStopped"> {
  /** Asks all processes, this one too. Absent: there is no other. */
  readonly replaysAnywhere?: ((connector: string) => Promise<boolean>) | undefined;
}

interface Running {
  readonly done: Promise<void>;
  /** What its plan was made from. */
  readonly config: string;
  readonly calledOff: AbortController;
}

const requireRunning = ({ name, target }: Entry): void => {
  if (target === "RUNNING") return;
  throw new GatewayError("REQUEST_INVALID", {
    message: `Connector ${name} is ${target}: resume it before its dead letters are replayed`,
  });
};

const planFor = ({ name, config }: Entry): LetterPlan => {
  const parsed = parseConnectorConfig(name, config);
  if ("settings" in parsed) return replayPlan(planOf(parsed.settings));
  throw new GatewayError("CONNECTOR_CONFIG_INVALID");
};

/** Resolves when the replay is over, or has been called off. */
const replay = async (options: ReplaysOptions, plan: LetterPlan, calledOff: AbortSignal): Promise<void> => {
  let over = false;
  const runner = createRunner({
    ...options,
    plan,
    onStopped: (trace) => {
      over = true;
      options.observer.fault(plan.name, new GatewayError("DELIVERY_STOPPED", { message: trace }));
    },
  });
  // Nothing is sent from then on; that it is over is seen a little later.
  calledOff.addEventListener("abort", () => void runner.stop());
  await untilReplayed(options, plan, {
    isOver: () => over || calledOff.aborted,
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
    const calledOff = new AbortController();
    const done = replay(options, plan, calledOff.signal)
      .catch((error: unknown) => {
        observer.fault(name, asGatewayError(error));
      })
      .finally(() => running.delete(name));
    running.set(name, { done, config: printOf(config), calledOff });
  };

  const view = async (entry: Entry): Promise<DeadLetters> => {
    const { group, deadLetterTopic: topic } = planFor(entry);
    const { left } = await lettersOf(broker, group, topic);
    return { topic, records: left, replaying: await isRunningAnywhere(entry.name) };
  };

  return {
    view,
    start: async (entry) => {
      const plan = planFor(entry);
      requireRunning(entry);
      const { left, ends } = await lettersOf(broker, plan.group, plan.deadLetterTopic);
      const already = await isRunningAnywhere(entry.name);
      if (!already && left > 0) begin(entry, { ...plan, ends });
      return { topic: plan.deadLetterTopic, records: left, replaying: already || isRunning(entry.name) };
    },
    align: (name, entry) => {
      const replaying = running.get(name);
      if (replaying === undefined) return;
      const goesOn = entry?.target === "RUNNING" && printOf(entry.config) === replaying.config;
      if (!goesOn) replaying.calledOff.abort();
    },
    isRunning,
    stop: async () => {
      const all = [...running.values()];
      for (const { calledOff } of all) calledOff.abort();
      await Promise.all(all.map(({ done }) => done));
    },
  };
};

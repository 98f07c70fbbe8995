/** Replays of dead letters that this process has been asked for: one at a time for each connector, in all processes. */
import { GatewayError, asGatewayError } from "../../errors.ts";
import { parseConnectorConfig } from "./connector-config.ts";
import { planOf } from "./connector-plan.ts";
import { lettersOf, replayPlan, untilReplayed, type LetterPlan } from "../engine/replay.ts";
import { createRunner, type RunnerOptions } from "../engine/runner.ts";
import type { Entry } from "./directory.ts";

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
  /** Begins to send the letters that there are now. */
  start(entry: Entry): Promise<DeadLetters>;
  /** In this process. */
  isRunning(connector: string): boolean;
  stop(): Promise<void>;
}

export interface ReplaysOptions extends Omit<RunnerOptions, "plan" | "onStopped"> {
  /** Asks all processes, this one too. Absent: there is no other. */
  readonly replaysAnywhere?: ((connector: string) => Promise<boolean>) | undefined;
}

const planFor = ({ name, config }: Entry): LetterPlan => {
  const parsed = parseConnectorConfig(name, config);
  if ("settings" in parsed) return replayPlan(planOf(parsed.settings));
  throw new GatewayError("CONNECTOR_CONFIG_INVALID");
};

export const createReplays = (options: ReplaysOptions): Replays => {
  const { broker, observer } = options;
  const running = new Map<string, Promise<void>>();
  const isRunning = (name: string): boolean => running.has(name);
  const isRunningAnywhere = async (name: string): Promise<boolean> =>
    isRunning(name) || ((await options.replaysAnywhere?.(name)) ?? false);
  let closed = false;

  const replay = async (plan: LetterPlan): Promise<void> => {
    let over = false;
    const runner = createRunner({
      ...options,
      plan,
      onStopped: (trace) => {
        over = true;
        observer.fault(plan.name, new GatewayError("DELIVERY_STOPPED", { message: trace }));
      },
    });
    await untilReplayed(options, plan, {
      isOver: () => over || closed,
      isIdle: () => runner.claims.length > 0 && runner.claims.every(({ records }) => records === 0),
    });
    await runner.stop();
  };

  const begin = (name: string, plan: LetterPlan): void => {
    const done = replay(plan)
      .catch((error: unknown) => {
        observer.fault(name, asGatewayError(error));
      })
      .finally(() => running.delete(name));
    running.set(name, done);
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
      const { left, ends } = await lettersOf(broker, plan.group, plan.deadLetterTopic);
      const already = await isRunningAnywhere(entry.name);
      if (!already && left > 0) begin(entry.name, { ...plan, ends });
      return { topic: plan.deadLetterTopic, records: left, replaying: already || isRunning(entry.name) };
    },
    isRunning,
    stop: async () => {
      closed = true;
      await Promise.all(running.values());
    },
  };
};

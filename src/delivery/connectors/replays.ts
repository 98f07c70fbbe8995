/** Replays of dead letters that this process has been asked for: one at a time for each connector. */
import { GatewayError, asGatewayError } from "../../errors.ts";
import { parseConnectorConfig } from "../config/connector-config.ts";
import { planOf } from "../connector-plan.ts";
import { lettersOf, replayPlan, untilReplayed, type LetterPlan } from "../replay.ts";
import { createRunner, type RunnerOptions } from "../runner.ts";
import type { Entry } from "./directory.ts";

export interface DeadLetters {
  readonly topic: string;
  /** Letters of the topic that no replay has dealt with. */
  readonly records: number;
  /** A replay is under way in this process. */
  readonly replaying: boolean;
}

export interface Replays {
  /** Both reject with REQUEST_INVALID for a connector without dead letter topic, and with BROKER_UNAVAILABLE. */
  view(entry: Entry): Promise<DeadLetters>;
  /** Begins to send the letters that there are now. */
  start(entry: Entry): Promise<DeadLetters>;
  stop(): Promise<void>;
}

export type ReplaysOptions = Omit<RunnerOptions, "plan" | "onStopped">;

const planFor = ({ name, config }: Entry): LetterPlan => {
  const parsed = parseConnectorConfig(name, config);
  if ("settings" in parsed) return replayPlan(planOf(parsed.settings));
  throw new GatewayError("CONNECTOR_CONFIG_INVALID");
};

export const createReplays = (options: ReplaysOptions): Replays => {
  const { broker, observer } = options;
  const running = new Map<string, Promise<void>>();
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

  const view = async (entry: Entry): Promise<DeadLetters> => {
    const { group, deadLetterTopic: topic } = planFor(entry);
    const { left } = await lettersOf(broker, group, topic);
    return { topic, records: left, replaying: running.has(entry.name) };
  };

  return {
    view,
    start: async (entry) => {
      const plan = planFor(entry);
      const { left, ends } = await lettersOf(broker, plan.group, plan.deadLetterTopic);
      if (!running.has(entry.name) && left > 0) {
        const done = replay({ ...plan, ends })
          .catch((error: unknown) => {
            observer.fault(entry.name, asGatewayError(error));
          })
          .finally(() => running.delete(entry.name));
        running.set(entry.name, done);
      }
      return { topic: plan.deadLetterTopic, records: left, replaying: running.has(entry.name) };
    },
    stop: async () => {
      closed = true;
      await Promise.all(running.values());
    },
  };
};

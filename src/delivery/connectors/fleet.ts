/** The runners of this process, kept as the directory wants them. */
import type { ConsumedRecord } from "../../broker/broker.ts";
import { asGatewayError } from "../../errors.ts";
import { cut } from "../../lib/text.ts";
import { parseConnectorConfig, type ConnectorSettings } from "./connector-config.ts";
import { planOf } from "./connector-plan.ts";
import type { Admission, DeliveryPlan } from "../engine/delivery-plan.ts";
import { createRunner, type Runner, type RunnerOptions } from "../engine/runner.ts";
import type { ConnectorLog } from "./connector-log.ts";
import { printOf, type Directory, type Entry } from "./directory.ts";

export interface Fleet {
  /** Brings the connector's runner in line with the directory; one change after the other. */
  reconcile(name: string): Promise<void>;
  runner(name: string): Runner | undefined;
  readonly runners: ReadonlyMap<string, Runner>;
  stop(): Promise<void>;
}

export interface FleetOptions extends Omit<RunnerOptions, "plan" | "onStopped"> {
  readonly directory: Directory;
  readonly log: ConnectorLog;
  readonly workerId: string;
}

interface Running {
  readonly runner: Runner;
  readonly of: string;
}

/** Of a failure that is written down; a trace has a line for each fault, or one. */
const LONGEST_TRACE = 10_000;

/** What a runner is made from: with another one of these it is another runner. */
const makeOf = ({ run, config }: Entry): string => JSON.stringify([run, config]);

const isWanted = (entry: Entry | undefined): entry is Entry =>
  entry !== undefined && entry.target !== "STOPPED" && entry.failure === undefined;

/** Plans that write down once which topics their connector reads; tried again with the next record where that fails. */
const planWriter = ({ log, observer }: Pick<FleetOptions, "log" | "observer">) => {
  const noting = new Set<string>();

  const noteTopic = (name: string, topic: string): void => {
    if (log.topics(name).has(topic)) return;
    const key = `${name}/${topic}`;
    if (noting.has(key)) return;
    noting.add(key);
    log
      .noteTopic(name, topic, true)
      .catch((error: unknown) => {
        observer.fault(name, asGatewayError(error));
      })
      .finally(() => noting.delete(key));
  };

  return ({ name }: Entry, settings: ConnectorSettings): DeliveryPlan => {
    const plan = planOf(settings);
    const { endpoint } = plan;
    const admit = (record: ConsumedRecord): Admission => {
      noteTopic(name, record.topic);
      return endpoint.admit(record);
    };
    return { ...plan, endpoint: { ...endpoint, admit } };
  };
};

export const createFleet = (options: FleetOptions): Fleet => {
  const { directory, log, workerId, observer, clock } = options;
  const running = new Map<string, Running>();
  const queues = new Map<string, Promise<void>>();
  const planFor = planWriter(options);
  let stopped = false;

  /** A failure that can't be written down is still a failure: the runner has halted by itself. */
  const onStopped = async (entry: Entry, trace: string): Promise<void> => {
    const { name, run, config } = entry;
    try {
      await log.fail(name, { run, workerId, trace: cut(trace, LONGEST_TRACE), config: printOf(config) });
    } catch (error) {
      observer.fault(name, asGatewayError(error));
      clock.after(1000, () => {
        if (!stopped && directory.get(name)?.run === run) void onStopped(entry, trace);
      });
    }
  };

  const start = (entry: Entry): void => {
    const parsed = parseConnectorConfig(entry.name, entry.config);
    if ("faults" in parsed) {
      void onStopped(entry, parsed.faults.map(({ message }) => message).join("\n"));
      return;
    }
    const runner = createRunner({
      ...options,
      plan: planFor(entry, parsed.settings),
      onStopped: (trace) => void onStopped(entry, trace),
    });
    running.set(entry.name, { runner, of: makeOf(entry) });
  };

  const halt = async (name: string): Promise<void> => {
    await running.get(name)?.runner.stop();
    running.delete(name);
  };

  const align = async (name: string): Promise<void> => {
    const entry = directory.get(name);
    const present = running.get(name);
    if (present !== undefined && (!isWanted(entry) || present.of !== makeOf(entry))) await halt(name);
    if (!isWanted(entry) || stopped) return;
    if (!running.has(name)) start(entry);
    if (entry.target === "PAUSED") running.get(name)?.runner.pause();
    else running.get(name)?.runner.resume();
  };

  const enqueue = (name: string, work: () => Promise<void>): Promise<void> => {
    const next = (queues.get(name) ?? Promise.resolve()).then(work);
    queues.set(name, next);
    return next;
  };

  return {
    reconcile: (name) => enqueue(name, () => align(name)),
    runner: (name) => running.get(name)?.runner,
    get runners() {
      return new Map([...running].map(([name, { runner }]) => [name, runner]));
    },
    stop: async () => {
      stopped = true;
      await Promise.all([...running.keys()].map((name) => enqueue(name, () => halt(name))));
    },
  };
};

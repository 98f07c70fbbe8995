/** The runners of this process: one for each connector that should run, as the directory says. */
import type { ConsumedRecord } from "../../broker/broker.ts";
import { asGatewayError } from "../../errors.ts";
import { cut } from "../../lib/text.ts";
import type { GatewayFacts } from "./config-reader.ts";
import { needsRegistry, parseConnectorConfig, writesLettersTo } from "./connector-config.ts";
import type { ConnectorModel } from "./model.ts";
import type { Decoding } from "./decoding.ts";
import type { Expressions } from "../expressions/expressions.ts";
import { planOf } from "./plan.ts";
import type { Admission, DeliveryPlan } from "../engine/delivery-plan.ts";
import { createRunner, type Runner, type RunnerOptions } from "../engine/runner.ts";
import type { ConnectorLog } from "./connector-log.ts";
import { configHash, type Directory, type Entry } from "./directory.ts";

export interface ConnectorRunners {
  /** Starts, stops, pauses or resumes the connector's runner as the directory says. Calls for one connector run one after another. */
  reconcile(name: string): Promise<void>;
  runner(name: string): Runner | undefined;
  readonly all: ReadonlyMap<string, Runner>;
  /** Stops all runners. `withinMs`: as in `Runner.stop`. */
  stop(withinMs?: number): Promise<void>;
}

export interface ConnectorRunnersOptions extends Omit<RunnerOptions, "plan" | "onStopped"> {
  readonly directory: Directory;
  readonly log: ConnectorLog;
  readonly workerId: string;
  /** Stored configurations are checked against them. */
  readonly facts: GatewayFacts;
  readonly decoding: Decoding;
  readonly expressions: Expressions;
}

interface Running {
  readonly runner: Runner;
  /** The run and the configuration that the runner was made from. */
  readonly version: string;
}

/** Maximum length of a stored trace, in characters. */
const MAX_TRACE = 10_000;

/**
 * If the version changes, the connector needs a new runner. Only a connector that decodes depends on the registry, and only a
 * connector with dead letters depends on the topic of `audit.station`.
 */
const versionOf = ({ run, config }: Entry, { hasRegistry, auditTopic }: GatewayFacts): string =>
  JSON.stringify([
    ...[run, config, needsRegistry(config) && hasRegistry],
    writesLettersTo(config, auditTopic),
  ]);

const isWanted = (entry: Entry | undefined): entry is Entry =>
  entry !== undefined && entry.target !== "STOPPED" && entry.failure === undefined;

/** Makes plans that store which topics the connector has read, once per topic. After a failure the next record tries again. */
const createPlanning = ({
  log,
  observer,
  decoding,
  expressions,
}: Pick<ConnectorRunnersOptions, "log" | "observer" | "decoding" | "expressions">) => {
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

  return ({ name }: Entry, model: ConnectorModel): DeliveryPlan => {
    const plan = planOf(model, decoding, expressions);
    const { endpoint } = plan;
    const admit = (record: ConsumedRecord): Admission => {
      noteTopic(name, record.topic);
      return endpoint.admit(record);
    };
    return { ...plan, endpoint: { ...endpoint, admit } };
  };
};

export const createConnectorRunners = (options: ConnectorRunnersOptions): ConnectorRunners => {
  const { directory, log, workerId, observer, clock, facts } = options;
  const running = new Map<string, Running>();
  const queues = new Map<string, Promise<void>>();
  const planFor = createPlanning(options);
  let stopped = false;

  /** Stores the failure, and tries again until it is stored. The runner has already stopped sending. */
  const onStopped = async (entry: Entry, trace: string): Promise<void> => {
    const { name, run, config } = entry;
    try {
      await log.fail(name, { run, workerId, trace: cut(trace, MAX_TRACE), config: configHash(config) });
    } catch (error) {
      observer.fault(name, asGatewayError(error));
      clock.after(1000, () => {
        if (!stopped && directory.get(name)?.run === run) void onStopped(entry, trace);
      });
    }
  };

  const start = (entry: Entry): void => {
    const parsed = parseConnectorConfig(entry.name, entry.config, facts);
    if ("faults" in parsed) {
      void onStopped(entry, parsed.faults.map(({ message }) => message).join("\n"));
      return;
    }
    const runner = createRunner({
      ...options,
      plan: planFor(entry, parsed.model),
      onStopped: (trace) => void onStopped(entry, trace),
    });
    running.set(entry.name, { runner, version: versionOf(entry, facts) });
  };

  const halt = async (name: string, withinMs?: number): Promise<void> => {
    await running.get(name)?.runner.stop(withinMs);
    running.delete(name);
  };

  const align = async (name: string): Promise<void> => {
    const entry = directory.get(name);
    const version = isWanted(entry) ? versionOf(entry, facts) : undefined;
    if (running.get(name)?.version !== version) await halt(name);
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
    get all() {
      return new Map([...running].map(([name, { runner }]) => [name, runner]));
    },
    stop: async (withinMs) => {
      stopped = true;
      await Promise.all([...running.keys()].map((name) => enqueue(name, () => halt(name, withinMs))));
    },
  };
};

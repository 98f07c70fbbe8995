/** A runner on a memory broker, with a scripted HTTP sink and optionally a fake clock. */
import { createMemoryBroker } from "../../src/broker/memory/memory-broker.ts";
import type { Broker } from "../../src/broker/broker.ts";
import { parseConnectorConfig } from "../../src/delivery/connectors/connector-config.ts";
import { type Decoding, NO_DECODING } from "../../src/delivery/connectors/decoding.ts";
import { planOf } from "../../src/delivery/connectors/plan.ts";
import type { AttemptReport } from "../../src/delivery/engine/observer.ts";
import { createProgress } from "../../src/delivery/engine/progress.ts";
import { createRunner, type Runner } from "../../src/delivery/engine/runner.ts";
import { type Expressions, NO_EXPRESSIONS } from "../../src/delivery/expressions/expressions.ts";
import { createTargets } from "../../src/delivery/engine/targets.ts";
import type { GatewayError } from "../../src/errors.ts";
import { systemClock, type Clock } from "../../src/lib/clock.ts";
import { startHttpSink, type HttpSink } from "../support/http-sink.ts";

export const TOPIC = "orders";
const GROUP = "connect-crm";

export interface Rig {
  readonly broker: Broker;
  readonly sink: HttpSink;
  readonly attempts: readonly AttemptReport[];
  readonly drops: readonly { readonly offset: bigint; readonly deadLettered: boolean }[];
  /** Records whose skipping is logged. */
  readonly skips: readonly { readonly offset: bigint; readonly reason: string }[];
  readonly faults: readonly GatewayError[];
  /** The reasons why the task stopped. */
  readonly traces: readonly string[];
  /** Default of `allowTargets`: loopback. */
  run(config?: Record<string, string>, allowTargets?: readonly string[]): Runner;
  /** Stores one record per value in one partition. */
  produce(
    values: readonly (string | Buffer | null)[],
    to?: { partition?: number; key?: string },
  ): Promise<void>;
  committed(partition?: number): Promise<bigint | undefined>;
  close(): Promise<void>;
}

export const createRig = async (
  clock: Clock = systemClock,
  partitions = 2,
  decoding: Decoding = NO_DECODING,
  expressions: Expressions = NO_EXPRESSIONS,
): Promise<Rig> => {
  const broker = createMemoryBroker();
  await broker.open();
  await broker.ensureTopic({ name: TOPIC, partitions });
  const sink = await startHttpSink();
  const attempts: AttemptReport[] = [];
  const skips: { offset: bigint; reason: string }[] = [];
  const drops: { offset: bigint; deadLettered: boolean }[] = [];
  const faults: GatewayError[] = [];
  const traces: string[] = [];
  const runners: Runner[] = [];
  const progress = createProgress();

  return {
    broker,
    sink,
    attempts,
    drops,
    skips,
    faults,
    traces,
    run: (config = {}, allowTargets = ["127.0.0.0/8"]) => {
      const parsed = parseConnectorConfig("crm", {
        topics: TOPIC,
        "callback.request.url": `${sink.url}/hook?x=1`,
        "callback.request.method": "POST",
        "callback.timeout.read.ms": "0",
        ...config,
      });
      if ("faults" in parsed) throw new Error(parsed.faults.map(({ message }) => message).join("\n"));
      const runner = createRunner({
        broker,
        plan: planOf(parsed.model, decoding, expressions),
        targets: createTargets(allowTargets),
        clock,
        random: () => 0.5,
        progress,
        observer: {
          attempted: (report) => attempts.push(report),
          dropped: (_, { offset }, deadLettered) => drops.push({ offset, deadLettered }),
          skipped: (_, { offset }, reason) => skips.push({ offset, reason }),
          fault: (_, error) => faults.push(error),
        },
        onStopped: (trace) => traces.push(trace),
      });
      runners.push(runner);
      return runner;
    },
    produce: async (values, { partition = 0, key } = {}) => {
      await broker.append(
        TOPIC,
        values.map((value) => ({
          key: key === undefined ? null : Buffer.from(key),
          value: typeof value === "string" ? Buffer.from(value) : value,
          headers: [],
          timestamp: clock.now(),
          partition,
        })),
      );
    },
    committed: async (partition = 0) => {
      const positions = await broker.committed(GROUP, TOPIC);
      return positions.find((position) => position.partition === partition)?.offset;
    },
    close: async () => {
      await sink.close();
      await Promise.all(runners.map((runner) => runner.stop()));
      await broker.close();
    },
  };
};

/** Creates and connects the parts of connector delivery, for connectors of the settings file and of the REST API. */
import type { Broker, TopicPartition } from "../../broker/broker.ts";
import { GatewayError } from "../../errors.ts";
import { atMost, systemClock, type Clock } from "../../lib/clock.ts";
import type { Tracing } from "../../observability/tracing/tracing.ts";
import type { GatewayFacts } from "./config-reader.ts";
import { type Decoding, NO_DECODING } from "./decoding.ts";
import { type Expressions, NO_EXPRESSIONS } from "../expressions/expressions.ts";
import type { RawConfig } from "./masking.ts";
import { createConnectorLog } from "./connector-log.ts";
import { createConnectors, type Connectors } from "./connectors.ts";
import { createDirectory } from "./directory.ts";
import { createConnectorRunners, type ConnectorRunners } from "./connector-runners.ts";
import { type ConnectorSample, createProgress, lagOf } from "../engine/progress.ts";
import { type ConfigProviders, createReferences, type References } from "./references.ts";
import { createReplays } from "./replays.ts";
import { createUnfinished } from "./unfinished.ts";
import { faultsOfDeclared } from "./validation.ts";
import type { DeliveryObserver } from "../engine/observer.ts";
import { createChangingTargets, type Targets } from "../engine/targets.ts";

export interface Delivery {
  readonly connectors: Connectors;
  /** Starts to deliver. Tries again while the broker is unavailable, and resolves when the connectors have been started. */
  open(): Promise<void>;
  /** The connectors' topic has been read. */
  readonly isOpen: boolean;
  /** Requests in flight, waiting records and lag of each connector of this process. Leaves out connectors whose lag is unknown. */
  sample(): Promise<readonly ConnectorSample[]>;
  /** Takes other settings into use: starts, restarts and stops the declared connectors that have changed. */
  apply(settings: Pick<DeliveryOptions, "allowTargets" | "declared" | "configProviders">): void;
  /**
   * The first offset of the partition that a connector has not finished. 0 until the connectors' topic has been read. undefined: no
   * connector reads the topic. Rejects with BROKER_UNAVAILABLE.
   */
  heldFrom(of: TopicPartition): Promise<bigint | undefined>;
  /** True if this process is replaying the connector's dead letters. */
  isReplaying(connector: string): boolean;
  /** Stops sending, waits for the requests in flight, commits, leaves the groups: as `close` of a delivery session. */
  close(withinMs?: number): Promise<void>;
}

export interface DeliveryOptions {
  readonly broker: Broker;
  /** `delivery.connectorsTopic`. */
  readonly connectorsTopic: string;
  /** `delivery.allowTargets`. */
  readonly allowTargets: readonly string[];
  /** `delivery.configProviders`. Absent: no reference is allowed. */
  readonly configProviders?: ConfigProviders | undefined;
  /** Returns the value of an environment variable. */
  readonly environment?: (name: string) => string | undefined;
  /** Connectors of the settings file. */
  readonly declared: readonly { readonly name: string; readonly config: RawConfig }[];
  /** `host:port`, unique among the processes that share the broker. */
  readonly workerId: string;
  readonly observer: DeliveryObserver;
  /** Absent: there is no registry. */
  readonly decoding?: Decoding;
  readonly expressions?: Expressions;
  /** Returns the topic of `audit.station` in use. undefined: `audit.station` is not set. */
  readonly auditTopic?: (() => string | undefined) | undefined;
  readonly clock?: Clock;
  readonly random?: () => number;
  /** Absent: no spans. The trace context of the record is still sent. */
  readonly tracing?: Tracing | undefined;
  /** Asks all processes whether one is replaying. Absent: there is only this process. */
  readonly replaysAnywhere?: (connector: string) => Promise<boolean>;
}

/** Milliseconds that `close` waits for an unfinished `open`. */
const MAX_OPENING_MS = 250;

/** Connector name in reports of faults that belong to no connector. */
const NO_CONNECTOR = "-";

const requireValid = ({ declared }: DeliveryOptions, facts: GatewayFacts): void => {
  const faults = faultsOfDeclared(declared, facts);
  if (faults.length > 0) throw new GatewayError("SETTINGS_INVALID", { message: faults.join("\n") });
};

const sampleOf = async (
  broker: Broker,
  clock: Clock,
  runners: ConnectorRunners,
): Promise<readonly ConnectorSample[]> => {
  const samples = [...runners.all].map(async ([connector, runner]) => ({
    connector,
    inFlight: runner.inFlight,
    waiting: runner.waiting,
    lag: await lagOf(broker, clock, runner.claims),
  }));
  const settled = await Promise.allSettled(samples);
  return settled.flatMap((sample) => (sample.status === "fulfilled" ? sample.value : []));
};

/** All facts can change with a reload. */
const factsOf = (
  { decoding = NO_DECODING, auditTopic }: Pick<DeliveryOptions, "decoding" | "auditTopic">,
  references: References,
  targets?: Targets,
): GatewayFacts => ({
  targets,
  references,
  get auditTopic() {
    return auditTopic?.();
  },
  get hasRegistry() {
    return decoding.decoder !== undefined;
  },
});

const NO_PROVIDERS: ConfigProviders = { env: [], file: [], directory: [] };

type Declared = DeliveryOptions["declared"];

/** The connectors of the settings file. */
const createDeclared = (declared: Declared) => {
  const configs = new Map(declared.map(({ name, config }) => [name, config]));
  return {
    configs,
    replace: (next: Declared): void => {
      configs.clear();
      for (const { name, config } of next) configs.set(name, config);
    },
  };
};

const referencesOf = ({
  configProviders: providers = NO_PROVIDERS,
  environment = () => undefined,
}: DeliveryOptions): References => createReferences({ providers, environment });

/** Throws SETTINGS_INVALID with a line for each fault of a declared connector. */
export const createDelivery = (options: DeliveryOptions): Delivery => {
  const { broker, workerId, observer, tracing, clock = systemClock, random = Math.random } = options;
  const { decoding = NO_DECODING, expressions = NO_EXPRESSIONS, auditTopic } = options;
  const targets = createChangingTargets(options.allowTargets);
  const references = referencesOf(options);
  const facts = factsOf(options, references, targets);
  requireValid(options, facts);
  const onError = (error: GatewayError): void => {
    observer.fault(NO_CONNECTOR, error);
  };
  const log = createConnectorLog({ broker, topic: options.connectorsTopic, clock, onError });
  const declared = createDeclared(options.declared);
  const directory = createDirectory(declared.configs, log);
  const steps = { decoding, expressions };
  const engine = { broker, clock, observer, random, targets, tracing, ...steps, progress: createProgress() };
  const runners = createConnectorRunners({
    ...{ ...engine, directory, log, workerId },
    facts: factsOf(options, references),
  });
  const { replaysAnywhere } = options;
  const replays = createReplays({ ...engine, replaysAnywhere, auditTopic, references });
  const unfinished = createUnfinished(broker, () =>
    directory.names.flatMap((name) => directory.get(name) ?? []),
  );
  let opening = Promise.resolve();
  let isOpen = false;
  const align = (name: string): void => {
    replays.align(name, directory.get(name));
    void runners.reconcile(name);
  };
  const open = async (): Promise<void> => {
    await log.open(align);
    isOpen = true;
    await Promise.all(directory.names.map((name) => runners.reconcile(name)));
  };
  return {
    connectors: createConnectors({ broker, clock, log, directory, runners, replays, workerId, facts }),
    open: () => (opening = open()),
    get isOpen() {
      return isOpen;
    },
    apply: (next) => {
      targets.allow(next.allowTargets);
      references.allow(next.configProviders ?? NO_PROVIDERS);
      const before = directory.names;
      declared.replace(next.declared);
      // `open` starts them all.
      if (isOpen) for (const name of new Set([...before, ...directory.names])) align(name);
    },
    heldFrom: (of) => (isOpen ? unfinished.from(of) : Promise.resolve(0n)),
    isReplaying: (name) => replays.isRunning(name),
    sample: () => sampleOf(broker, clock, runners),
    close: async (withinMs) => {
      await Promise.all([log.close(), runners.stop(withinMs), replays.stop()]);
      // While the broker is unavailable, `open` ends only when its requests time out. Everything is closed by then.
      await atMost(clock, MAX_OPENING_MS, opening);
    },
  };
};

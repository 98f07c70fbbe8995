/**
 * Once: the homes of ids in this process, and the entrance for the events of requests. Without homes, each process remembers ids
 * for itself.
 */
import { MAX_APPEND_BYTES } from "../broker/record-bytes.ts";
import type { Settings } from "../config/schema/schema.ts";
import { asGatewayError, GatewayError } from "../errors.ts";
import { createHome, type Home } from "../home/home.ts";
import { createPeerClient } from "../home/peers/peer-client.ts";
import type { Batcher } from "../ingest/batcher/batcher.ts";
import { createOnceStore, type OnceStore } from "../ingest/once-store.ts";
import { pause } from "../lib/clock.ts";
import { createLocalOnce } from "../once/local-once.ts";
import type { EnteredSlot, OnceLog } from "../once/once-log.ts";
import { OnceSlots } from "../once/once-slots.ts";
import type { OnceOutcome } from "../once/home-calls.ts";
import { createOnce, type Once } from "../once/once.ts";
import { createTopicViews, type TopicViews } from "../once/topic-views.ts";
import type { OnceMetrics } from "../observability/once-metrics.ts";
import type { LastingContext } from "./context.ts";
import { createFaultLog } from "./fault-log.ts";
import {
  ensureOnceTopic,
  longestWindowOf,
  onceGroupOf,
  onceTopicOf,
  whyWithoutHomes,
} from "./once-rights.ts";
import { hasPeerKeys, hasPeers, type PeerPort } from "./peer-port.ts";
import { countingMoves } from "./wire-home.ts";

/** Once in this process. It outlives a reload. */
export interface OnceKeeper {
  readonly store: OnceStore;
  /** Throws SETTINGS_INVALID if these settings need homes, and the homes can't be used. */
  check(settings: Settings): void;
  /** Takes these settings into use. A longer window raises the retention of the topic. */
  use(settings: Settings): void;
  /** Hands the slots over to other gateways. */
  drain(): Promise<void>;
}

/** The name of this home at the peer port. */
const HOME = "once";
/** Maximum time in milliseconds that the start waits to learn whether the homes can be used. */
const DECISION_MS = 5000;
const AGAIN_MS = 1000;

/**
 * Starts the homes. This goes on in the background while Kafka is unavailable. Rejects with SETTINGS_INVALID if `once.topic` has
 * another number of partitions, and if a station declares `once` and the homes can't be used.
 */
export const openOnce = async (
  context: LastingContext,
  port: PeerPort,
  batcher: Pick<Batcher, "append">,
): Promise<OnceKeeper> => {
  const { inUse, broker, clock, metrics, log } = context;
  const { settings } = inUse.now;
  const views = createTopicViews(broker, clock);
  const { home, start } = createHomes(context, port, views);
  let once: Once = createOnce({
    home,
    clock,
    appendUnchecked: (topic, records) => batcher.append(topic, records),
  });
  let without: string | undefined;
  const withoutHomes = (reason: string): void => {
    without = reason;
    once = createLocalOnce({
      append: (topic, records, order) => batcher.append(topic, records, order),
      maxIds: settings.once.maxIds,
      now: () => clock.now(),
    });
    log.logger.warn(
      { reason },
      "each process remembers the ids of calls and webhook deliveries for itself: a repeat that reaches another process is stored again",
    );
  };
  requireNoStation(settings, await start(withoutHomes));
  const raiseRetention = createRaiseRetention(context);
  return {
    store: createOnceStore({
      once: counted({ append: (...call) => once.append(...call) }, metrics),
      views,
      slots: settings.once.partitions,
      deadlineMs: settings.broker.kafka.deliveryTimeout,
    }),
    check: (wanted) => {
      requireNoStation(wanted, without);
    },
    use: (used) => {
      void raiseRetention(used);
    },
    drain: () => home.drain(),
  };
};

/** `reason`: why the homes can't be used; undefined: they can, or it is not known yet. */
const requireNoStation = ({ stations }: Settings, reason: string | undefined): void => {
  const station = stations.find((declared) => declared.once !== undefined);
  if (reason === undefined || station === undefined) return;
  throw new GatewayError("SETTINGS_INVALID", {
    message: `stations[${station.name}].once can't be used: ${reason}`,
  });
};

type Ending = Parameters<OnceMetrics["onceEvents"]>[0];

const endingOf = (outcome: OnceOutcome): Ending => {
  if (outcome.status === "reused") return "refused";
  if (outcome.status === "failed") return outcome.error.outcome === "refused" ? "refused" : "unavailable";
  if (outcome.status !== "stored") return "unavailable";
  if ("unchecked" in outcome) return "unchecked";
  return "duplicate" in outcome ? "duplicate" : "stored";
};

const counted = (once: Once, metrics: OnceMetrics): Once => ({
  append: async (...call) => {
    const outcomes = await once.append(...call);
    const counts = new Map<Ending, number>();
    for (const ending of outcomes.map(endingOf)) counts.set(ending, (counts.get(ending) ?? 0) + 1);
    for (const [ending, count] of counts) metrics.onceEvents(ending, count);
    return outcomes;
  },
});

interface Homes {
  readonly home: Home;
  /** Resolves to the reason why the homes can't be used; undefined: they can, or it is not known yet. */
  readonly start: (withoutHomes: (reason: string) => void) => Promise<string | undefined>;
}

const createSlots = (
  { inUse, broker, clock, metrics, memory }: LastingContext,
  topics: TopicViews,
  onError: (error: GatewayError) => void,
): OnceSlots => {
  const { once, broker: brokerSettings } = inUse.now.settings;
  const { requestTimeout: requestTimeoutMs, deliveryTimeout } = brokerSettings.kafka;
  const slots = new OnceSlots({
    ...{ broker, clock, memory, topics, onError, deliveryTimeout, requestTimeoutMs },
    share: Math.floor(once.maxIds / once.partitions),
    longestWindow: () => longestWindowOf(inUse.now.settings),
    batchBytes: MAX_APPEND_BYTES,
    onResolved: (outcome, count) => {
      metrics.onceResolved(outcome, count);
    },
  });
  metrics.onceFrom(() => {
    const { openIds, windowMs } = slots.status();
    const configuredSeconds = longestWindowOf(inUse.now.settings) / 1000;
    return { openIds, windowSeconds: windowMs / 1000, configuredSeconds };
  });
  return slots;
};

const createHomes = (context: LastingContext, port: PeerPort, views: TopicViews): Homes => {
  const { inUse, broker, clock, metrics, log, memory, lifecycle } = context;
  const { settings } = inUse.now;
  const onError = createFaultLog(log.logger, clock, "a fault of the homes of ids; the gateway tries again");
  const bundleBytes = settings.server.bodyLimit;
  const peers = createPeerClient({ keys: port.keys, clock, memory, name: HOME, bundleBytes });
  const slots = createSlots(context, views, onError);
  const home = createHome<OnceLog, EnteredSlot>({
    ...{ broker, clock, peers, onError },
    service: countingMoves(slots, () => {
      metrics.onceHomeMoved();
    }),
    topic: onceTopicOf(settings),
    group: onceGroupOf(settings),
    createLog: slots.createLog,
    sessionTimeout: settings.reading.sessionTimeout,
    address: () => port.address,
  });
  port.serve(home, HOME);
  const ending = new AbortController();
  let started: Promise<unknown> | undefined;
  lifecycle.onClose("once", async () => {
    ending.abort();
    await home.drain();
    await started;
    await peers.close();
  });
  return {
    home,
    start: async (withoutHomes) => {
      await port.openAtHost();
      const starting = startHome(context, { home, port, signal: ending.signal, onError, withoutHomes });
      started = starting.ended;
      return starting.reason;
    },
  };
};

interface Starting {
  readonly home: Home;
  readonly port: PeerPort;
  readonly signal: AbortSignal;
  readonly onError: (error: GatewayError) => void;
  readonly withoutHomes: (reason: string) => void;
}

/** `reason` is as in `Homes.start`. `ended` resolves when the home joins its group, or can't be used. */
const startHome = (
  context: LastingContext,
  { home, port, signal, onError, withoutHomes }: Starting,
): { readonly reason: Promise<string | undefined>; readonly ended: Promise<void> } => {
  let isAway = (): void => undefined;
  const away = new Promise<undefined>((resolve) => {
    isAway = () => {
      resolve(undefined);
    };
  });
  const decided = decide(context, signal, (error) => {
    onError(error);
    isAway();
  });
  const isEnding = (): boolean => signal.aborted;
  const ended = decided
    .then(async (reason) => {
      if (isEnding()) return;
      if (reason !== undefined) {
        withoutHomes(reason);
        return;
      }
      await port.open(signal);
      home.join();
    })
    // The start also rejects with this error, if it still waits.
    .catch((error: unknown) => {
      onError(asGatewayError(error));
    });
  const late = pause(context.clock, DECISION_MS, signal).then(() => undefined);
  return { reason: Promise.race([decided, away, late]), ended };
};

const NO_KEYS = "there is no auth.accessToken.secret, no API key of kind server and no reading.peer.secret";

/** Resolves to the reason why the homes can't be used. Asks again while Kafka is unavailable. Rejects as `whyWithoutHomes`. */
const decide = async (
  { inUse, broker, clock }: LastingContext,
  signal: AbortSignal,
  onError: (error: GatewayError) => void,
): Promise<string | undefined> => {
  const { settings } = inUse.now;
  const { kafka } = settings.broker;
  if (hasPeers({ broker }) && !hasPeerKeys(settings)) return NO_KEYS;
  while (!signal.aborted) {
    try {
      if (hasPeers({ broker })) return await whyWithoutHomes(broker, settings, kafka.requestTimeout);
      // A broker of this process asks for no rights.
      await ensureOnceTopic(broker, settings);
      return undefined;
    } catch (cause) {
      const error = asGatewayError(cause);
      if (error.code === "SETTINGS_INVALID") throw error;
      onError(error);
      await pause(clock, AGAIN_MS, signal);
    }
  }
  return undefined;
};

/** Returns a function that raises the retention of the topic if the settings have a longer window than before. Never rejects. */
const createRaiseRetention = ({ broker, inUse, log }: LastingContext) => {
  let raisedTo = longestWindowOf(inUse.now.settings);
  return async (settings: Settings): Promise<void> => {
    const longest = longestWindowOf(settings);
    if (longest <= raisedTo) return;
    try {
      await broker.ensureTopic(onceTopicOf(settings));
      raisedTo = longest;
    } catch (err) {
      log.logger.error(
        { err },
        "the retention of once.topic can't be raised: ids are duplicates for a shorter time",
      );
    }
  };
};

/** The spool of the settings: which events it takes, its log lines and its metrics. */
import { compileStationPatterns } from "../auth/permissions.ts";
import { MAX_APPEND_BYTES } from "../broker/record-bytes.ts";
import type { Settings } from "../config/schema/schema.ts";
import { IN_FLIGHT } from "../ingest/batcher/pending.ts";
import type { SpoolableEvent } from "../ingest/event-ids.ts";
import type { SpoolBatcher } from "../ingest/once-batcher.ts";
import type { ProduceRequest, ProduceSpool } from "../ingest/produce.ts";
import { openOwnSpool } from "../spool/spool.ts";
import { type Spool, WorkerSpool, type WorkerSpoolOptions } from "../spool/worker-spool.ts";
import type { LastingContext } from "./context.ts";
import { seldom } from "./fault-log.ts";
import { closeSpool, measureSpool, podObserver } from "./pod-spool.ts";

interface SpoolTools {
  readonly batcher: SpoolBatcher;
  readonly prepare: WorkerSpoolOptions["prepare"];
}

/** undefined: the settings have no spool. Rejects with SETTINGS_INVALID if its directory can't be used. */
export const openSpoolOf = async (
  { spool: settings }: Settings,
  { batcher, prepare }: SpoolTools,
  context: LastingContext,
): Promise<ProduceSpool | undefined> => {
  if (settings === undefined) return undefined;
  const { clock, health, lifecycle, log, metrics, spoolChannel: channel } = context;
  const { logger } = log;
  const options = workerOptions(settings, { batcher, prepare }, context);
  const use = (spool: Spool<SpoolableEvent>, close: () => Promise<void>): ProduceSpool => {
    lifecycle.onClose("spool", close);
    health.spoolFrom(() => spool.readiness());
    return {
      takes: takesOf(settings.for),
      isSpooling: spool.isSpooling.bind(spool),
      append: spool.append.bind(spool),
    };
  };
  if (channel !== undefined) {
    const spool = new WorkerSpool({ ...options, channel });
    return use(spool, () => spool.close());
  }
  const observer = { ...options.observer, ...podObserver(logger) };
  const spool = await openOwnSpool({ ...options, observer });
  measureSpool(spool, settings.maxBytes, { clock, metrics, logger });
  return use(spool, () => closeSpool(spool, logger));
};

const workerOptions = (
  { dir, maxBytes, after, refusedAfter }: NonNullable<Settings["spool"]>,
  { batcher, prepare }: SpoolTools,
  context: LastingContext,
): Omit<WorkerSpoolOptions<SpoolableEvent>, "channel"> => {
  const { clock, inUse } = context;
  const { kafka } = inUse.now.settings.broker;
  // Half of the buffer is left to other topics.
  const drainBytes = Math.floor(kafka.maxBufferedBytes / 2);
  return {
    ...{ dir, maxBytes, afterMs: after, refusedAfterMs: refusedAfter, clock, drainBytes, prepare },
    deadlineMs: kafka.deliveryTimeout,
    appendBytes: Math.min(MAX_APPEND_BYTES, drainBytes),
    batcher: { ...batcher, inFlight: IN_FLIGHT },
    drain: (topic, records) => batcher.append(topic, records),
    observer: observerOf(context),
  };
};

/** Which requests have events of a spooled kind. */
const takesOf = (kinds: readonly string[]): ProduceSpool["takes"] => {
  const given = new Set(kinds);
  const patterns = kinds.flatMap((kind) =>
    kind.startsWith("station:") ? [kind.slice("station:".length)] : [],
  );
  const matches = compileStationPatterns(patterns);
  return ({ principal, station, isBeacon = false }: ProduceRequest) => {
    if (principal.kind === "operator") return false;
    if (principal.kind === "webhook") return given.has("webhooks") || given.has(`webhook:${principal.name}`);
    return (isBeacon && given.has("beacon")) || matches(station.name);
  };
};

const observerOf = ({ log, metrics, clock }: LastingContext): WorkerSpoolOptions["observer"] => {
  const { logger } = log;
  const isDue = seldom(clock);
  return {
    drained: (events) => {
      metrics.spoolDrained(events);
    },
    refused: (topic, events, err) => {
      metrics.spoolRefused(events);
      logger.error(
        { topic, events, err },
        "Kafka has refused spooled events; they are in refused/ of the spool",
      );
    },
    waits: (topic, code) => {
      if (isDue("waits"))
        logger.warn(
          { topic, code },
          "Kafka refuses the topic of spooled events; they wait for spool.refusedAfter",
        );
    },
    damaged: ({ file, at, bytes, isTail }) => {
      if (isTail) logger.warn({ file, at, bytes }, "a torn write at the end of a spool file is ignored");
      else logger.error({ file, at, bytes }, "damaged bytes in a spool file are skipped");
    },
    failed: (topic, err) => {
      logger.error({ topic, err }, "the spool can't be drained; it is tried again");
    },
    unspooled: (err) => {
      if (isDue("unspooled")) logger.error({ err }, "events can't be spooled and get 503");
    },
  };
};

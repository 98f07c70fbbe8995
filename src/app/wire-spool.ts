/** The spool of the settings: which events it takes, its log lines and its metrics. */
import { compileStationPatterns } from "../auth/permissions.ts";
import { MAX_APPEND_BYTES } from "../broker/record-bytes.ts";
import type { Settings } from "../config/schema/schema.ts";
import type { Batcher } from "../ingest/batcher/batcher.ts";
import { IN_FLIGHT } from "../ingest/batcher/pending.ts";
import type { ProduceRequest, ProduceSpool } from "../ingest/produce.ts";
import type { SpoolContents } from "../spool/contents.ts";
import { openSpool, type Spool, type SpoolOptions } from "../spool/spool.ts";
import type { LastingContext } from "./context.ts";
import { seldom } from "./fault-log.ts";

/** undefined: the settings have no spool. Rejects with SETTINGS_INVALID if its directory can't be used. */
export const openSpoolOf = async (
  { spool: settings, broker: { kafka } }: Settings,
  batcher: Batcher,
  context: LastingContext,
): Promise<ProduceSpool | undefined> => {
  if (settings === undefined) return undefined;
  const { clock, metrics, health, lifecycle, log } = context;
  // Half of the buffer is left to other topics.
  const drainBytes = Math.floor(kafka.maxBufferedBytes / 2);
  const spool = await openSpool({
    ...{ dir: settings.dir, maxBytes: settings.maxBytes, afterMs: settings.after, clock, drainBytes },
    deadlineMs: kafka.deliveryTimeout,
    appendBytes: Math.min(MAX_APPEND_BYTES, drainBytes),
    batcher: { ...batcher, inFlight: IN_FLIGHT },
    drain: (topic, records) => batcher.append(topic, records),
    observer: observerOf(context),
  });
  const contents = contentsOf(spool, context);
  lifecycle.onClose("spool", async () => {
    await spool.close();
    const { events, bytes } = await spool.contents();
    if (events > 0)
      log.logger.warn({ events, bytes }, "the spool is not empty; the next start on its directory drains it");
  });
  health.spoolFrom(() => spool.status());
  metrics.spoolFrom(async () => {
    const { bytes, events, oldest } = await contents();
    const oldestSeconds = oldest === undefined ? 0 : Math.max(0, clock.now() - oldest) / 1000;
    return { bytes, events, oldestSeconds, maxBytes: settings.maxBytes };
  });
  return { takes: takesOf(settings.for), append: spool.append.bind(spool) };
};

/** Milliseconds for which the contents are not read again. */
const CONTENTS_AGE_MS = 1000;

/** The contents of at most a second ago. If the directory can't be read: the last ones that were read. */
const contentsOf = (spool: Spool, { clock, log }: LastingContext): (() => Promise<SpoolContents>) => {
  const isDue = seldom(clock);
  let readAt = -Infinity;
  let latest: Promise<SpoolContents> = Promise.resolve({ bytes: 0, events: 0, oldest: undefined });
  return () => {
    if (clock.now() - readAt < CONTENTS_AGE_MS) return latest;
    readAt = clock.now();
    const previous = latest;
    latest = spool.contents().catch((err: unknown) => {
      if (isDue("contents")) log.logger.warn({ err }, "the directory of the spool can't be read");
      return previous;
    });
    return latest;
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

const observerOf = ({ log, metrics, clock }: LastingContext): SpoolOptions["observer"] => {
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
    switched: (topic, isSpooling) => {
      if (isSpooling) logger.warn({ topic }, "events of this topic go to the spool");
      else logger.info({ topic }, "the spool has no events of this topic; new events go to Kafka");
    },
  };
};

/** What the main process of a pod logs and measures of its spool. */
import type { Clock } from "../lib/clock.ts";
import type { Logger } from "../observability/logger/logger.ts";
import type { SpoolMetrics } from "../observability/spool-metrics.ts";
import type { SpoolContents } from "../spool/contents.ts";
import type { PodObserver, PodSpool } from "../spool/pod-spool.ts";
import { seldom } from "./fault-log.ts";

export const podObserver = (logger: Logger): PodObserver => ({
  switched: (topic, isSpooling) => {
    if (isSpooling) logger.warn({ topic }, "events of this topic go to the spool");
    else logger.info({ topic }, "the spool has no events of this topic; new events go to Kafka");
  },
  disk: (isWritable) => {
    if (isWritable) logger.info("the disk of the spool takes events again");
    else logger.error("the disk of the spool is full or takes no writes; events that need the spool get 503");
  },
  unread: (folder, err) => {
    logger.error({ folder, err }, "the spool folder of an ended worker can't be read");
  },
});

type Spool = Pick<PodSpool, "contents" | "close">;

interface PodTools {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Pick<SpoolMetrics, "spoolFrom">;
}

export const measureSpool = (spool: Spool, maxBytes: number, { clock, logger, metrics }: PodTools): void => {
  const contents = contentsOf(spool, { clock, logger });
  metrics.spoolFrom(async () => {
    const { bytes, events, oldest } = await contents();
    const oldestSeconds = oldest === undefined ? 0 : Math.max(0, clock.now() - oldest) / 1000;
    return { bytes, events, oldestSeconds, maxBytes };
  });
};

export const closeSpool = async (spool: Spool, logger: Logger): Promise<void> => {
  await spool.close();
  const { events, bytes } = await spool.contents();
  if (events > 0)
    logger.warn({ events, bytes }, "the spool is not empty; the next start on its directory drains it");
};

/** Milliseconds for which the contents are not read again. */
const CONTENTS_AGE_MS = 1000;

/** The contents of at most a second ago. If the directory can't be read: the last ones that were read. */
const contentsOf = (
  spool: Spool,
  { clock, logger }: Pick<PodTools, "clock" | "logger">,
): (() => Promise<SpoolContents>) => {
  const isDue = seldom(clock);
  let readAt = -Infinity;
  let latest: Promise<SpoolContents> = Promise.resolve({ bytes: 0, events: 0, oldest: undefined });
  return () => {
    if (clock.now() - readAt < CONTENTS_AGE_MS) return latest;
    readAt = clock.now();
    const previous = latest;
    latest = spool.contents().catch((err: unknown) => {
      if (isDue("contents")) logger.warn({ err }, "the directory of the spool can't be read");
      return previous;
    });
    return latest;
  };
};

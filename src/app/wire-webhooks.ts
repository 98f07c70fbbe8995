/** The webhook sources of the settings. */
import type { Settings } from "../config/schema/schema.ts";
import { createWebhooks, type Webhooks } from "../ingest/webhooks/webhooks.ts";
import { createRemembered } from "../ingest/remembered.ts";
import type { MemoryBudget } from "../lib/memory-budget.ts";
import { systemClock } from "../lib/clock.ts";
import type { Logger } from "../observability/logger/logger.ts";
import type { Metrics } from "../observability/metrics.ts";
import type { Ingest } from "./wire-ingest.ts";

interface WebhookDependencies {
  readonly settings: Settings;
  readonly ingest: Ingest;
  readonly logger: Logger;
  /** For the ids of deliveries. */
  readonly memory: MemoryBudget;
  readonly metrics: Pick<Metrics, "webhookRefused">;
}

/** Throws SETTINGS_INVALID for a source whose settings lack what its scheme needs. */
export const openWebhooks = ({
  settings,
  ingest,
  memory,
  logger,
  metrics,
}: WebhookDependencies): Webhooks => {
  for (const { source, scheme } of settings.webhooks) {
    if (scheme === "none") logger.warn({ source }, "this webhook source takes events from anybody");
  }
  return createWebhooks({
    ...ingest,
    declared: settings.webhooks.map((declared) => ({ secrets: [], ...declared })),
    clock: systemClock,
    remembered: createRemembered({ budget: memory, now: () => systemClock.now() }),
    refused: (source) => {
      metrics.webhookRefused(source);
    },
  });
};

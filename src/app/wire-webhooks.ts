/** Creates the webhook sources of the settings. */
import { createWebhooks, type Webhooks } from "../ingest/webhooks/webhooks.ts";
import { createRemembered } from "../ingest/remembered.ts";
import type { MemoryBudget } from "../lib/memory-budget.ts";
import type { AppContext } from "./context.ts";
import type { Ingest } from "./wire-ingest.ts";

/** `remembered` is the memory for the ids of webhooks. Throws SETTINGS_INVALID for a source without a setting that its scheme needs. */
export const openWebhooks = (
  { settings, log, metrics, clock }: AppContext,
  ingest: Ingest,
  remembered: MemoryBudget,
): Webhooks => {
  for (const { source, scheme } of settings.webhooks) {
    if (scheme === "none") log.logger.warn({ source }, "this webhook source takes events from anybody");
  }
  return createWebhooks({
    ...ingest,
    declared: settings.webhooks.map((declared) => ({ secrets: [], ...declared })),
    clock,
    remembered: createRemembered({ budget: remembered, now: () => clock.now() }),
    refused: (source) => {
      metrics.webhookRefused(source);
    },
  });
};

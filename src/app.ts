/** The composition root: creates all parts of the gateway from the settings. */
import type { AppContext, AppLog } from "./app/context.ts";
import { connectWorkerRoutes } from "./app/connect-worker.ts";
import { createBroker } from "./app/wire-broker.ts";
import { startDelivery } from "./app/wire-delivery.ts";
import { createIngest, maxRecordBytesOf } from "./app/wire-ingest.ts";
import { createLifecycle } from "./app/lifecycle.ts";
import { createListeners, type Listeners } from "./app/listeners.ts";
import { openMemory } from "./app/wire-memory.ts";
import { openPullConsumers } from "./app/wire-pull-consumers.ts";
import { createQuestions, type AskAll, type Questions } from "./app/questions.ts";
import { requireUsable } from "./app/settings-check.ts";
import { openTracing } from "./app/wire-tracing.ts";
import type { Settings } from "./config/schema/schema.ts";
import { systemClock } from "./lib/clock.ts";
import { createHealth } from "./observability/health.ts";
import { createMetrics, textOfSum } from "./observability/metrics.ts";

export interface Gateway extends Listeners, Pick<Questions, "answer"> {
  /**
   * Readiness becomes 503, requests in flight finish, buffers are flushed, sockets close. Resolves within `graceMs`
   * milliseconds (default: `server.shutdownGrace`).
   */
  stop(graceMs?: number): Promise<void>;
}

/** Milliseconds for which the broker's health is cached. */
const HEALTH_CACHE = 500;

/**
 * Starts everything except the listeners. `askAll` queries all worker processes; without it this process is the only one.
 * Rejects with SETTINGS_INVALID for faults that only show when the settings are used.
 */
export const startGateway = async (settings: Settings, log: AppLog, askAll?: AskAll): Promise<Gateway> => {
  await requireUsable(settings);
  const lifecycle = createLifecycle(log.logger);
  const metrics = createMetrics();
  const questions = createQuestions(askAll);
  questions.answerWith({ metrics: () => metrics.samples() });
  const { memory, readers } = openMemory(settings, metrics);
  const tracing = await openTracing(settings, lifecycle);
  const broker = await createBroker(settings, maxRecordBytesOf(settings));
  await broker.open();
  lifecycle.onClose("broker", () => broker.close());
  const stop = (graceMs = settings.server.shutdownGrace): Promise<void> => lifecycle.close(graceMs);

  try {
    const health = createHealth({
      check: () => broker.check(),
      cacheMs: HEALTH_CACHE,
      now: () => performance.now(),
    });
    const context: AppContext = {
      ...{ settings, clock: systemClock, log, metrics, health, tracing },
      ...{ lifecycle, questions, broker, memory, readers },
    };
    const ingest = settings.roles.includes("ingest") ? await createIngest(context) : undefined;
    const consumers = openPullConsumers(context);
    lifecycle.onClose("consumers", () => consumers.close());
    const delivery = settings.roles.includes("delivery") ? await startDelivery(context) : undefined;
    const worker = connectWorkerRoutes(context, delivery);
    const listeners = createListeners(context, {
      ingest,
      consumers,
      adminRoutes: [...(delivery?.routes ?? []), ...worker],
      scrape: async () =>
        askAll === undefined ? metrics.text() : textOfSum((await askAll("metrics", "")).answers),
    });
    return {
      ...listeners,
      answer: (name, about) => questions.answer(name, about),
      stop: (graceMs) => {
        health.shutDown();
        // Pulls that wait for events would delay the end of the listeners.
        void consumers.close();
        return stop(graceMs);
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
};

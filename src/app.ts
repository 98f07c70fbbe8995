/** The composition root: creates all parts of the gateway from the settings. */
import type { AppContext, AppLog } from "./app/context.ts";
import { createLifecycle, type Lifecycle } from "./app/lifecycle.ts";
import { createListeners, type Listeners } from "./app/listeners.ts";
import { type AskAll, createQuestions, type LevelChange, type Questions } from "./app/questions.ts";
import type { Prepare, ReloadControl } from "./app/reload-control.ts";
import type { TlsFiles } from "./app/read-tls.ts";
import { requireUsable } from "./app/settings-check.ts";
import { createBroker } from "./app/wire-broker.ts";
import { startDelivery, type StartedDelivery } from "./app/wire-delivery.ts";
import { openKeyUnits } from "./app/wire-issuers.ts";
import { createIngest, maxRecordBytesOf } from "./app/wire-ingest.ts";
import { openReaders } from "./app/wire-reading.ts";
import { openRegistry } from "./app/wire-registry.ts";
import type { Settings } from "./config/schema/schema.ts";
import { VERSION } from "./config/version.ts";
import { GatewayError } from "./errors.ts";
import { workerRoutes } from "./http/handlers/connect-worker/routes.ts";
import { bodyReaders, type BodyReaders } from "./http/middleware/body/body.ts";
import type { Route } from "./http/routes.ts";
import { systemClock } from "./lib/clock.ts";
import { createMemoryBudget, type MemoryBudget } from "./lib/memory-budget.ts";
import { createDecoder } from "./registry/decoder.ts";
import { createHealth } from "./observability/health.ts";
import { createMetrics, type Metrics, textOfSum } from "./observability/metrics.ts";
import type { ReloadMetrics } from "./observability/reload-metrics.ts";
import type { Tracing } from "./observability/tracing/tracing.ts";

export interface Gateway extends Listeners, Pick<Questions, "answer"> {
  /**
   * Readiness becomes 503, requests in flight finish, buffers are flushed, sockets close. Resolves within `graceMs`
   * milliseconds (default: `server.shutdownGrace`).
   */
  stop(graceMs?: number): Promise<void>;
  readonly prepare: Prepare;
  /** For the counts of reloads, if this is the only process. */
  readonly metrics: ReloadMetrics;
}

/** Milliseconds for which the broker's health is cached. */
const HEALTH_CACHE = 500;

/** Milliseconds for the answers to calls that wait for events when this process ends. */
const LAST_READS_MS = 1000;

/** What the process around a gateway offers to it. */
export interface Surroundings {
  /** Queries all worker processes. undefined: this process is the only one. */
  readonly askAll?: AskAll | undefined;
  /** The texts of the files in `server.tls` and `admin.tls`. */
  readonly tls: TlsFiles;
  readonly reload: ReloadControl;
}

/** Starts everything except the listeners. Rejects with SETTINGS_INVALID for faults that only show when the settings are used. */
export const startGateway = async (
  settings: Settings,
  log: AppLog,
  { askAll, tls, reload }: Surroundings,
): Promise<Gateway> => {
  await requireUsable(settings);
  const lifecycle = createLifecycle(log.logger);
  const metrics = createMetrics();
  const questions = createQuestions(askAll);
  questions.answerWith({ metrics: () => metrics.samples() });
  const { memory, readingMemory, readers } = openMemory(settings, metrics);
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
    const parts = { clock: systemClock, log, metrics, lifecycle, questions };
    const registry = openRegistry(settings, parts);
    const keyUnits = openKeyUnits(parts);
    const context: AppContext = {
      ...parts,
      ...{ settings, tls, health, tracing, keyUnits, reload },
      ...{ broker, registry, memory, readingMemory, readers },
      decoder: registry && createDecoder(registry),
    };
    const ingest = settings.roles.includes("ingest") ? await createIngest(context) : undefined;
    const home = ingest && (await openReaders(context, ingest.stations.declared));
    const delivery = settings.roles.includes("delivery") ? await startDelivery(context) : undefined;
    const worker = connectWorkerRoutes(context, delivery);
    const listeners = createListeners(context, {
      ingest,
      home,
      adminRoutes: [...(delivery?.routes ?? []), ...worker],
      scrape: async () =>
        askAll === undefined ? metrics.text() : textOfSum((await askAll("metrics", "")).answers),
    });
    return {
      ...listeners,
      metrics,
      answer: (name, about) => questions.answer(name, about),
      prepare: () =>
        Promise.reject(new GatewayError("RELOAD_FAILED", { message: "A reload is not possible yet" })),
      stop: (graceMs) => {
        health.shutDown();
        // The next homes take calls while this process still answers its own clients. `lifecycle` waits for the end. The waiting
        // calls of this process get their answers before, because without another process no home would be left for them.
        systemClock.after(LAST_READS_MS, () => void home?.drain().catch(() => undefined));
        return stop(graceMs);
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
};

interface ClientMemory {
  readonly memory: MemoryBudget;
  readonly readingMemory: MemoryBudget;
  readonly readers: BodyReaders;
}

/** The memory budget for client data, and the body readers that use it. Call it once per process. */
const openMemory = ({ limits, reading }: Settings, metrics: Metrics): ClientMemory => {
  const memory = createMemoryBudget(limits.memory);
  metrics.clientMemoryFrom(() => memory.usedBytes);
  return { memory, readingMemory: memory.part(reading.maxBuffered), readers: bodyReaders(memory) };
};

/** undefined: no collector is configured, and OpenTelemetry is not loaded. */
const openTracing = async (
  { tracing: { endpoint } }: Settings,
  lifecycle: Lifecycle,
): Promise<Tracing | undefined> => {
  if (endpoint === undefined) return undefined;
  const { createOtlpTracing } = await import("./observability/tracing/otlp.ts");
  const tracing = createOtlpTracing({ endpoint, version: VERSION });
  lifecycle.onClose("tracing", () => tracing.close());
  return tracing;
};

/**
 * The worker routes of Kafka Connect's API. A change of a log level applies to all processes of this program.
 * `delivery` is undefined if this process has no delivery role.
 */
const connectWorkerRoutes = (
  { settings: { server }, readers, health, log: { levels }, questions }: AppContext,
  delivery: StartedDelivery | undefined,
): readonly Route[] => {
  questions.answerWith({
    logLevel: (about) => {
      const { logger, level, at } = JSON.parse(about) as LevelChange;
      levels.set(logger, level, at);
      return true;
    },
  });
  return workerRoutes({
    health,
    levels,
    hasStarted: delivery?.hasStarted ?? (() => true),
    connectorNames: delivery?.connectorNames ?? (() => Promise.resolve([])),
    setLevel: async (logger, level) => {
      const change: LevelChange = { logger, level, at: Date.now() };
      await questions.askAll("logLevel", JSON.stringify(change));
    },
    readBody: readers({ maxBytes: server.bodyLimit, timeoutMs: server.requestTimeout }),
  });
};

/** The composition root: creates all parts of the gateway from the settings. */
import { setMaxListeners } from "node:events";
import { configure } from "./app/configure.ts";
import type { AppLog, DecodingInUse, LastingContext } from "./app/context.ts";
import { createPrepare, warnOfOpenWebhooks } from "./app/generations.ts";
import { createApps, type IngestParts, type RouteParts } from "./app/http-apps.ts";
import { openLasting } from "./app/lasting.ts";
import { createLifecycle } from "./app/lifecycle.ts";
import { createListeners, type Listeners } from "./app/listeners.ts";
import { createPeerPort } from "./app/peer-port.ts";
import { type AskAll, createQuestions, type Questions } from "./app/questions.ts";
import type { Prepare, ReloadControl } from "./app/reload-control.ts";
import type { TlsFiles } from "./app/read-tls.ts";
import { requireUsable } from "./app/settings-check.ts";
import { startDelivery } from "./app/wire-delivery.ts";
import { openIngest } from "./app/wire-ingest.ts";
import { openKeyUnits } from "./app/wire-issuers.ts";
import { openRates } from "./app/wire-rates.ts";
import { heldByConnectors } from "./app/wire-retention.ts";
import { openEventStreams, openReaders } from "./app/wire-reading.ts";
import { schemeOf } from "./app/wire-tls.ts";
import { connectWorkerRoutes } from "./app/wire-worker.ts";
import { followRegistry } from "./app/wire-registry.ts";
import { type Authentication, createLastingAuthentication } from "./auth/authentication.ts";
import type { Operator } from "./auth/operators/operator.ts";
import type { Principal } from "./auth/principal.ts";
import type { Settings } from "./config/schema/schema.ts";
import { createStreamFormats } from "./http/handlers/stations/consume-stream.ts";
import { createLiveCalls } from "./http/live-calls.ts";
import { systemClock } from "./lib/clock.ts";
import type { StoredAudit } from "./observability/audit.ts";
import { createMetrics, textOfSum } from "./observability/metrics.ts";
import type { ReloadMetrics } from "./observability/reload-metrics.ts";
import type { SpoolChannel } from "./spool/messages.ts";

export interface Gateway extends Listeners, Pick<Questions, "answer"> {
  readonly prepare: Prepare;
  /** For the counts of reloads, if this is the only process. */
  readonly metrics: ReloadMetrics;
  /**
   * Readiness becomes 503, requests in flight finish, buffers are flushed, sockets close. Resolves within `graceMs`
   * milliseconds (default: `server.shutdownGrace`).
   */
  stop(graceMs?: number): Promise<void>;
  readonly audit: StoredAudit;
}

/** Milliseconds for the answers to calls that wait for events when this process ends. */
const LAST_READS_MS = 1000;

/** What the process around a gateway offers to it. */
export interface Surroundings {
  /** Queries all worker processes. undefined: this process is the only one. */
  readonly askAll?: AskAll | undefined;
  /** The texts of the files in `server.tls` and `admin.tls`. */
  readonly tls: TlsFiles;
  readonly reload: ReloadControl;
  readonly spoolChannel?: SpoolChannel | undefined;
}

/** Starts everything except the listeners. Rejects with SETTINGS_INVALID for faults that only show when the settings are used. */
export const startGateway = async (
  settings: Settings,
  log: AppLog,
  { askAll, tls, reload, spoolChannel }: Surroundings,
): Promise<Gateway> => {
  const declared = await requireUsable(settings);
  const tools = openTools(log, askAll);
  const { metrics, lifecycle, questions } = tools;
  const { live, operatorsLive, recheckCalls } = openLiveCalls(() => inUse.now.authentication);
  const keyUnits = openKeyUnits(tools, recheckCalls);
  const lastingAuthentication = createLastingAuthentication();
  const configuring = { ...tools, keyUnits, lastingAuthentication };
  const inUse = { now: await configure({ settings, tls }, configuring, { declared }) };
  const lasting = { ...(await openLasting({ ...tools, inUse, reload, spoolChannel, keyUnits })), inUse };
  const stop = (graceMs = settings.server.shutdownGrace): Promise<void> => lifecycle.close(graceMs);

  try {
    const decoding = followRegistry(lasting);
    const ingest = settings.roles.includes("ingest") ? await openIngestParts(lasting, decoding) : undefined;
    const delivery = settings.roles.includes("delivery") ? await startDelivery(lasting, decoding) : undefined;
    lasting.retention.holdFrom(heldByConnectors(settings, lasting.broker, delivery));
    const adminRoutes = [...(delivery?.routes ?? []), ...connectWorkerRoutes(lasting, delivery)];
    const scrape = async (): Promise<string> =>
      askAll === undefined ? metrics.text() : textOfSum((await askAll("metrics", "")).answers);
    const { host, port } = settings.server;
    const address = { scheme: schemeOf(tls.public), host, port };
    const stopping = new AbortController();
    const parts = openRouteParts(lasting, {
      ...{ ingest, decoding, adminRoutes, scrape, live, operatorsLive, stopping: stopping.signal },
      publicListener: () => address,
    });
    const apps = createApps(lasting, inUse.now, parts);
    const { serve, ...listeners } = createListeners(lasting, apps, address);
    lifecycle.onClose("streams", async () => {
      // First, so that the calls that end now get their answers with `Connection: close`.
      await listeners.stopAccepting();
      stopping.abort();
    });
    warnOfOpenWebhooks(log, settings);
    return {
      ...{ ...listeners, metrics, audit: lasting.audit },
      prepare: createPrepare({
        ...{ lasting, parts, delivery, serve, recheckCalls, renewTls: listeners.renewTls },
        configure: (given, previous) => configure(given, configuring, previous),
      }),
      answer: (name, about) => questions.answer(name, about),
      stop: (graceMs) => {
        lasting.health.shutDown();
        // The next homes take calls while this process still answers its own clients. `lifecycle` waits for the end. The waiting
        // calls of this process get their answers before, because without another process no home would be left for them.
        systemClock.after(LAST_READS_MS, () => void handOver(ingest));
        return stop(graceMs);
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
};

/** The live calls of both listeners, and the function that checks all of them again. */
const openLiveCalls = (inUse: () => Authentication) => {
  const live = createLiveCalls<Principal>((principal) => inUse().renew(principal));
  const operatorsLive = createLiveCalls<Operator>((operator) => inUse().renewOperator(operator));
  const recheckCalls = (): void => {
    void live.recheck();
    void operatorsLive.recheck();
  };
  return { live, operatorsLive, recheckCalls };
};

const openTools = (log: AppLog, askAll: AskAll | undefined) => ({
  ...{ log, clock: systemClock, metrics: createMetrics() },
  lifecycle: createLifecycle(log.logger),
  questions: createQuestions(askAll),
});

/** Hands the slots of all homes over. Never rejects. */
const handOver = async (ingest: IngestParts | undefined): Promise<void> => {
  await Promise.allSettled([ingest?.homes.drain(), ingest?.once.drain()]);
};

const openIngestParts = async (lasting: LastingContext, decoding: DecodingInUse): Promise<IngestParts> => {
  const { settings } = lasting.inUse.now;
  const port = createPeerPort({ ...lasting, settings });
  return {
    ...(await openIngest(lasting, port)),
    homes: await openReaders(lasting, decoding, port),
  };
};

type GivenParts = Pick<
  RouteParts,
  "ingest" | "decoding" | "adminRoutes" | "scrape" | "publicListener" | "live" | "operatorsLive" | "stopping"
>;

const openRouteParts = (lasting: LastingContext, given: GivenParts): RouteParts => {
  const { inUse, log } = lasting;
  setMaxListeners(0, given.stopping);
  return {
    ...given,
    logger: log.named("http"),
    rates: openRates(inUse.now.settings),
    eventStreams: openEventStreams(lasting, given.stopping),
    formats: createStreamFormats(given.decoding.ofRegistry),
  };
};

/**
 * Generations: all parts that depend on settings. `prepare` builds a new generation while the old one serves. The new one is
 * then taken into use in one turn of the event loop, or discarded. The start builds the first generation as a reload builds the
 * next one.
 */
import { isDeepStrictEqual } from "node:util";
import type { Settings } from "../config/schema/schema.ts";
import { type Given, release } from "./configure.ts";
import type { AppLog, Configured, LastingContext } from "./context.ts";
import { createApps, type HttpApps, type RouteParts } from "./http-apps.ts";
import type { TlsFiles } from "./read-tls.ts";
import type { Prepare } from "./reload-control.ts";
import type { ProcessAudit } from "./wire-audit.ts";
import type { StartedDelivery } from "./wire-delivery.ts";
import { createNewTopics } from "./wire-ingest.ts";
import { rateSettingsOf } from "./wire-rates.ts";
import { requirePairs } from "./wire-tls.ts";

export interface GenerationOptions {
  readonly lasting: LastingContext & { readonly inUse: { now: Configured }; readonly audit: ProcessAudit };
  readonly parts: RouteParts;
  readonly delivery: StartedDelivery | undefined;
  /** Builds what the settings alone decide. */
  readonly configure: (given: Given, previous: Configured) => Promise<Configured>;
  /** Gives the requests from now on to these apps. */
  readonly serve: (apps: HttpApps) => void;
  /** Ends the live calls that the settings in use do not allow any more. */
  readonly recheckCalls: () => void;
  /** Throws for a pair that can't be used. */
  readonly renewTls: (files: TlsFiles) => void;
}

export const createPrepare =
  (options: GenerationOptions): Prepare =>
  async (settings, tls) => {
    const { lasting, parts, configure } = options;
    const previous = lasting.inUse.now;
    requirePairs(tls);
    const configured = await configure({ settings, tls }, previous);
    const discard = (): void => {
      release(configured, previous);
    };
    try {
      parts.ingest?.once.check(settings);
      if (parts.ingest !== undefined) await createNewTopics(parts.ingest, settings, previous.settings);
      const apps = createApps(lasting, configured, parts);
      return {
        swap: () => {
          swap(options, configured, apps);
        },
        discard,
      };
    } catch (error) {
      discard();
      throw error;
    }
  };

/** All of it happens in one turn of the event loop. */
const swap = (
  { lasting, parts, delivery, serve, recheckCalls, renewTls }: GenerationOptions,
  configured: Configured,
  apps: HttpApps,
): void => {
  const { inUse, log, audit } = lasting;
  const previous = inUse.now;
  const { settings, tls, registry, declared } = configured;
  inUse.now = configured;
  serve(apps);
  if (!isDeepStrictEqual(tls, previous.tls)) renewTls(tls);
  log.levels.rebase(settings.log.level);
  audit.apply(settings);
  parts.rates.use(rateSettingsOf(settings));
  parts.ingest?.provisioning.keepOnly(new Set(declared.map(({ name }) => name)));
  parts.ingest?.homes.use(settings);
  parts.ingest?.once.use(settings);
  delivery?.use(settings);
  previous.issuers?.close();
  previous.provider?.close();
  if (registry !== previous.registry) previous.registry?.client.retire();
  warnOfOpenWebhooks(log, settings, previous.settings);
  recheckCalls();
};

/** Warns about each webhook source that accepts events from anyone, once. */
export const warnOfOpenWebhooks = (
  { logger }: AppLog,
  { webhooks, roles }: Settings,
  previous?: Settings,
): void => {
  if (!roles.includes("ingest")) return;
  const told = new Set(
    previous?.webhooks.filter(({ scheme }) => scheme === "none").map(({ source }) => source),
  );
  for (const { source, scheme } of webhooks)
    if (scheme === "none" && !told.has(source))
      logger.warn({ source }, "this webhook source accepts events from anyone");
};

/** Builds what the settings alone decide: authentication, the client of the registry, and the stations with their schemas. */
import {
  type Authentication,
  createAuthentication,
  type LastingAuthentication,
} from "../auth/authentication.ts";
import type { Settings } from "../config/schema/schema.ts";
import type { Configured, LastingContext } from "./context.ts";
import { loadDeclared } from "./wire-ingest.ts";
import { openIssuers } from "./wire-issuers.ts";
import { openProvider } from "./wire-provider.ts";
import { openRegistry } from "./wire-registry.ts";

interface ConfigureOptions extends Pick<LastingContext, "clock" | "log" | "metrics" | "keyUnits"> {
  readonly lastingAuthentication: LastingAuthentication;
}

/** What is configured, as plain data. */
export type Given = Pick<Configured, "settings" | "tls">;

/** The parts that can be taken over. At the start there are only the stations of the check. */
type Previous = Pick<Configured, "declared"> & Partial<Pick<Configured, "registry">>;

/** Takes over what has not changed since `previous`. Rejects with SETTINGS_INVALID. */
export const configure = async (
  { settings, tls }: Given,
  options: ConfigureOptions,
  previous: Previous,
): Promise<Configured> => {
  const registry = openRegistry(settings, options, previous.registry);
  let issuers: Configured["issuers"];
  let provider: Configured["provider"];
  try {
    const declared = await loadDeclared(settings, {
      ...{ registry, log: options.log, previous: previous.declared },
    });
    issuers = openIssuers(settings, options.keyUnits);
    provider = openProvider(settings, options.keyUnits, options.lastingAuthentication.ownSecret);
    const authentication = authenticationOf(settings, { issuers, provider }, options);
    return { settings, tls, registry, declared, issuers, provider, authentication };
  } catch (error) {
    release({ registry, issuers, provider }, previous);
    throw error;
  }
};

/** Closes what only these settings use. */
export const release = (
  { registry, issuers, provider }: Pick<Configured, "registry" | "issuers" | "provider">,
  others: Pick<Previous, "registry">,
): void => {
  issuers?.close();
  provider?.close();
  if (registry !== others.registry) void registry?.client.close();
};

const authenticationOf = (
  { auth, admin, limits }: Settings,
  { issuers: otherIssuers, provider }: Pick<Configured, "issuers" | "provider">,
  { lastingAuthentication: lasting }: ConfigureOptions,
): Authentication =>
  createAuthentication({
    ...auth,
    ...{ otherIssuers, lasting, admin },
    operatorJwts: provider?.jwts,
    tokenCacheBytes: limits.tokenCache,
  });

/** The rate limits of the settings. */
import { type Limits, principalId } from "../auth/principal.ts";
import type { Settings } from "../config/schema/schema.ts";
import type { RateSettings } from "../ingest/buckets.ts";
import { createRates, type Rates } from "../ingest/limits.ts";

export const openRates = (settings: Settings): Rates =>
  createRates({ ...rateSettingsOf(settings), now: () => performance.now() });

/** For `Rates.use`. */
export const rateSettingsOf = ({ limits, auth, webhooks }: Settings): RateSettings => {
  const byPrincipal = new Map<string, Limits[]>();
  const add = (principal: Parameters<typeof principalId>[0], own: Limits): void => {
    const name = principalId(principal);
    byPrincipal.set(name, [...(byPrincipal.get(name) ?? []), own]);
  };
  for (const { username: name, limits: own } of auth.accounts) add({ kind: "account", name }, own);
  for (const { id: name, limits: own } of auth.apiKeys) add({ kind: "api-key", name }, own);
  for (const { source: name, limits: own } of webhooks) add({ kind: "webhook", name }, own);
  for (const { name, limits: own } of auth.certificates) add({ kind: "certificate", name }, own);
  /** The name of a client of another issuer begins with that of the issuer's entry. */
  const ofIssuer = (principal: string): readonly Limits[] =>
    auth.issuers
      .filter(({ name }) => principal.startsWith(principalId({ kind: "issuer", name: `${name}:` })))
      .map(({ limits: own }) => own);
  return {
    perAddress: limits.perAddress,
    maxDebtMs: limits.maxDebt,
    limitsOf: (principal) => byPrincipal.get(principal) ?? ofIssuer(principal),
  };
};

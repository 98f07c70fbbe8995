/** Scopes: what a token leaves of its account's rights. A scope can only narrow. */
import { z } from "zod";
import { GatewayError } from "../errors.ts";
import type { Account } from "./accounts.ts";
import {
  compileStationPatterns,
  isStationPattern,
  narrowOrigins,
  normaliseOrigin,
  type StationMatcher,
} from "./permissions.ts";
import { type Principal, verifiedPrincipal } from "./principal.ts";

/** A token travels in a header, beside others; a scope may not fill it. */
const MAX_CHARACTERS = 4096;

const originShape = z.string().transform((text, context) => {
  const origin = normaliseOrigin(text);
  if (origin !== undefined) return origin;
  context.addIssue("not an origin");
  return z.NEVER;
});

/** Absent: not narrowed in that respect. An empty list is refused, since for origins elsewhere it means any. */
export const scopeShape = z.strictObject({
  stations: z.array(z.string().refine(isStationPattern, "not a station name or pattern")).min(1).optional(),
  actions: z
    .array(z.enum(["produce", "consume"]))
    .min(1)
    .optional(),
  origins: z.array(originShape).min(1).optional(),
});

export type Scope = z.output<typeof scopeShape>;

/** Entries of one list; no scope of so many fits into a token. */
const MAX_ENTRIES = 2048;

const FIELDS: readonly string[] = ["stations", "actions", "origins"];

const invalid = (fault: string): GatewayError => new GatewayError("SCOPE_INVALID", { message: fault });

/**
 * Bounds what a stranger can make the gateway validate: zod judges every element of a list and every field, and keeps an
 * issue for each, however many there are. Ends at the first fault.
 */
const requireSmall = (given: unknown): void => {
  if (typeof given !== "object" || given === null) return;
  for (const field in given) {
    if (!FIELDS.includes(field)) throw invalid("scope: has a field that is not stations, actions or origins");
    const list: unknown = (given as Record<string, unknown>)[field];
    if (!Array.isArray(list)) continue;
    if (list.length > MAX_ENTRIES) throw invalid(`scope.${field}: has more than ${MAX_ENTRIES} entries`);
    const wrong = list.findIndex((entry) => typeof entry !== "string");
    if (wrong >= 0) throw invalid(`scope.${field}.${wrong}: must be a string`);
  }
};

/** Reads a scope as a client gave it; undefined asks for all that the account has. Throws SCOPE_INVALID. */
export const parseScope = (given: unknown): Scope => {
  if (given === undefined) return {};
  requireSmall(given);
  const parsed = scopeShape.safeParse(given);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    const path = ["scope", ...(issue?.path ?? [])].join(".");
    throw new GatewayError("SCOPE_INVALID", { message: `${path}: ${issue?.message ?? "malformed"}` });
  }
  if (JSON.stringify(parsed.data).length > MAX_CHARACTERS)
    throw new GatewayError("SCOPE_INVALID", { message: `scope: longer than ${MAX_CHARACTERS} characters` });
  return parsed.data;
};

/** The account as one of its tokens may use it: what both the account and the scope allow, never more. */
export const narrowedPrincipal = (account: Account, scope: Scope): Principal => {
  const inScope = scope.stations === undefined ? anyStation : compileStationPatterns(scope.stations);
  const { actions } = scope;
  const produces = actions === undefined || actions.includes("produce");
  const consumes = actions === undefined || actions.includes("consume");
  return verifiedPrincipal({
    kind: "account",
    name: account.username,
    mayProduce: (station) => produces && inScope(station) && account.mayProduce(station),
    mayConsume: (station) => consumes && inScope(station) && account.mayConsume(station),
    readsGroup: account.readsGroup,
    origins: narrowOrigins(account.origins, scope.origins ?? []),
    limits: account.limits,
  });
};

const anyStation: StationMatcher = () => true;

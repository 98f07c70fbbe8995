/** The scope of a token narrows the rights of its account. It never adds a right. */
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

/** A token is sent in a header, and all headers of a request together have a limit. */
const MAX_CHARACTERS = 4096;

const originShape = z.string().transform((text, context) => {
  const origin = normaliseOrigin(text);
  if (origin !== undefined) return origin;
  context.addIssue("not an origin");
  return z.NEVER;
});

/** An absent field does not narrow. An empty list is refused: in other settings an empty list of origins means all. */
export const scopeShape = z.strictObject({
  stations: z.array(z.string().refine(isStationPattern, "not a station name or pattern")).min(1).optional(),
  actions: z
    .array(z.enum(["produce", "consume"]))
    .min(1)
    .optional(),
  origins: z.array(originShape).min(1).optional(),
});

export type Scope = z.output<typeof scopeShape>;

/** Maximum entries of one list. A scope with more does not fit into a token. */
const MAX_ENTRIES = 2048;

const FIELDS: readonly string[] = ["stations", "actions", "origins"];

const invalid = (fault: string): GatewayError => new GatewayError("SCOPE_INVALID", { message: fault });

/**
 * Throws at the first fault. zod checks every element and every field, and keeps an issue for each of them; a client that
 * has not signed in yet must not cause that work.
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

/** Parses the scope that a client sent. undefined: all rights of the account. Throws SCOPE_INVALID. */
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

/** The principal of a token: it may do what both the account and the scope allow. */
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

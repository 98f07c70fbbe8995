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

/** A text that is not an origin becomes "", which is refused. */
const originShape = z
  .string()
  .transform((text) => normaliseOrigin(text) ?? "")
  .pipe(z.string().min(1));

/**
 * An absent field does not narrow the rights. An empty list is refused, because in the settings an empty list of origins
 * allows all origins.
 */
export const scopeShape = z.strictObject({
  stations: z.array(z.string().refine(isStationPattern)).min(1).optional(),
  actions: z
    .array(z.enum(["produce", "consume", "stream"]))
    .min(1)
    .optional(),
  origins: z.array(originShape).min(1).optional(),
});

export type Scope = z.output<typeof scopeShape>;

/** Maximum entries of one list. A scope with more entries does not fit into a token. */
const MAX_ENTRIES = 2048;

/** What each field must be, for error texts. */
const FIELDS: Readonly<Record<string, { readonly list: string; readonly entry: string }>> = {
  stations: { list: "station names or patterns", entry: "a station name or pattern" },
  actions: { list: "produce, consume and stream", entry: "produce, consume or stream" },
  origins: { list: "origins", entry: "an origin such as https://shop.example" },
};

/** Maximum number of characters of the client's text in an error text. */
const LONGEST_SHOWN = 40;

const invalid = (fault: string): GatewayError => new GatewayError("SCOPE_INVALID", { message: fault });

/**
 * Throws at the first fault. zod checks every element and every field, and keeps an issue for each of them; a client that
 * has not signed in yet must not cause that work.
 */
const requireSmall = (given: unknown): void => {
  if (typeof given !== "object" || given === null) return;
  for (const field in given) {
    if (!Object.hasOwn(FIELDS, field)) {
      const shown = JSON.stringify(field.slice(0, LONGEST_SHOWN));
      throw invalid(`scope: has the unknown field ${shown}, allowed: ${Object.keys(FIELDS).join(", ")}`);
    }
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
    const [field, index] = parsed.error.issues[0]?.path ?? [];
    throw invalid(faultAt(given, field, index));
  }
  if (JSON.stringify(parsed.data).length > MAX_CHARACTERS)
    throw invalid(`scope: has more than ${MAX_CHARACTERS} characters as JSON`);
  return parsed.data;
};

/** The error text for the fault at `scope.<field>.<index>`. Without `index` the whole field is wrong. */
const faultAt = (given: unknown, field?: PropertyKey, index?: PropertyKey): string => {
  const name = String(field);
  const rule = FIELDS[name];
  if (rule === undefined) return "scope: must be an object with stations, actions or origins";
  if (index === undefined) return `scope.${name}: must be a non-empty list of ${rule.list}`;
  const entry = (given as Record<string, Record<PropertyKey, unknown>>)[name]?.[index];
  const shown = JSON.stringify(String(entry).slice(0, LONGEST_SHOWN));
  return `scope.${name}.${String(index)}: must be ${rule.entry} (got ${shown})`;
};

/** The principal of a token: it may do what both the account and the scope allow. */
export const narrowedPrincipal = (account: Account, scope: Scope): Principal => {
  const inScope = scope.stations === undefined ? anyStation : compileStationPatterns(scope.stations);
  const { actions } = scope;
  const produces = actions === undefined || actions.includes("produce");
  const consumes = actions === undefined || actions.includes("consume");
  const streams = consumes || actions.includes("stream");
  return verifiedPrincipal({
    kind: "account",
    name: account.username,
    mayProduce: (station) => produces && inScope(station) && account.mayProduce(station),
    mayConsume: (station) => consumes && inScope(station) && account.mayConsume(station),
    readable: [account.consume, scope.stations ?? ["*"], consumes ? ["*"] : []],
    mayStream: (station) => streams && inScope(station) && account.mayConsume(station),
    readsGroup: account.readsGroup,
    origins: narrowOrigins(account.origins, scope.origins ?? []),
    limits: account.limits,
  });
};

const anyStation: StationMatcher = () => true;

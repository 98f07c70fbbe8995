/** The rights of a token: what the entry allows, narrowed by the token's claims. */
import {
  compilePatterns,
  compileStationPatterns,
  originList,
  patternBytes,
  type StationMatcher,
} from "../permissions.ts";
import { type Limits, type Principal, verifiedPrincipal } from "../principal.ts";
import { claimReader, type ClaimReader, isLeftOut, textsOf } from "./claims.ts";
import type { JsonObject } from "./jws.ts";

/** A token that has `value` in `claim` gets these patterns. */
interface Mapping {
  readonly claim: string;
  readonly value: string;
  readonly stations: readonly string[];
  readonly consume: readonly string[];
}

export interface RightsOptions {
  /** The entry's name, the first part of the principal's name. */
  readonly name: string;
  /** The claims of patterns to produce to and to read. Absent: such patterns come from `mapping` only. */
  readonly stationsClaim?: string | undefined;
  readonly consumeClaim?: string | undefined;
  readonly mapping: readonly Mapping[];
  /** Patterns that bound the rights of every token. */
  readonly stations: readonly string[];
  readonly consume: readonly string[];
  /** Absent: the scope of a token does not count. */
  readonly scopePrefix?: string | undefined;
  readonly groups?: readonly string[] | undefined;
  readonly origins: readonly string[];
  readonly limits: Limits;
}

export interface Rights {
  readonly principal: Principal;
  /** Memory of the principal's patterns, estimated from above. */
  readonly bytes: number;
}

/** The principal of a valid token. It does not keep the claims. */
export type RightsOf = (claims: JsonObject, subject: string) => Rights;

/** The patterns that a token brings; undefined: the entry alone decides. */
type PatternsOf = (claims: JsonObject) => readonly string[] | undefined;

/** As in the settings: in lower case only. */
const isPattern = (text: string): boolean => /^[a-z0-9_.*-]{1,128}$/.test(text);

/** Throws SETTINGS_INVALID for an invalid pattern or origin. */
export const createRights = (options: RightsOptions): RightsOf => {
  const { name, limits, groups } = options;
  const mapping = options.mapping.map((one) => ({ ...one, read: claimReader(one.claim) }));
  const reader = (claim: string | undefined): ClaimReader | undefined =>
    claim === undefined ? undefined : claimReader(claim);
  const [produceClaim, readClaim] = [reader(options.stationsClaim), reader(options.consumeClaim)];
  const used = [produceClaim, readClaim, ...mapping.map(({ read }) => read)].flatMap((one) => one ?? []);

  const patterns =
    (claim: ClaimReader | undefined, kind: "stations" | "consume"): PatternsOf =>
    (claims) => {
      if (claim === undefined && mapping.length === 0) return undefined;
      const mapped = mapping.filter(({ read, value }) => textsOf(read(claims)).includes(value));
      const own = claim === undefined ? [] : textsOf(claim(claims)).filter(isPattern);
      return [...new Set([...own, ...mapped.flatMap((one) => one[kind])])];
    };
  // A function of its own: closures of one function share its variables, and the principal's closures must not keep the claims.
  const isIncomplete = (claims: JsonObject): boolean => used.some((claim) => isLeftOut(claims, claim));
  const toProduce = patterns(produceClaim, "stations");
  const toRead = patterns(readClaim, "consume");
  const entryProduces = compileStationPatterns(options.stations);
  const entryReads = compileStationPatterns(options.consume);
  const actionsOf = scopeReader(options.scopePrefix);
  const readsGroup = groups && compilePatterns(groups);
  const origins = originList(options.origins);

  return (claims, subject) => {
    const actions = actionsOf(claims);
    const [produce, read] = [toProduce(claims), toRead(claims)];
    const [mayProduce, mayRead] = [lazily(produce), lazily(read)];
    const streams = actions.consume || actions.stream;
    const principal = verifiedPrincipal({
      kind: "issuer",
      name: `${name}:${subject}`,
      mayProduce: (station) => actions.produce && entryProduces(station) && mayProduce(station),
      mayConsume: (station) => actions.consume && entryReads(station) && mayRead(station),
      mayStream: (station) => streams && entryReads(station) && mayRead(station),
      readable: [options.consume, read ?? ["*"], actions.consume ? ["*"] : []],
      readsGroup,
      origins,
      limits,
      isIncomplete: isIncomplete(claims),
    });
    return { principal, bytes: patternBytes(produce) + patternBytes(read) };
  };
};

/** Compiles the patterns at the first match, because a token may have a thousand of them. undefined: any station. */
const lazily = (patterns: readonly string[] | undefined): StationMatcher => {
  if (patterns === undefined) return () => true;
  let matches: StationMatcher | undefined;
  return (station) => (matches ??= compilePatterns(patterns))(station);
};

interface Actions {
  readonly produce: boolean;
  readonly consume: boolean;
  readonly stream: boolean;
}

const ALL: Actions = { produce: true, consume: true, stream: true };

const scopeReader = (prefix: string | undefined): ((claims: JsonObject) => Actions) => {
  if (prefix === undefined) return () => ALL;
  return ({ scope, scp }) => {
    const scopes = [...textsOf(scope), ...textsOf(scp)];
    const has = (action: string): boolean => scopes.includes(prefix + action);
    return { produce: has("produce"), consume: has("consume"), stream: has("stream") };
  };
};

/** The issuers of the settings: chooses the issuer of a token and makes a principal of it. */
import { type Principal, unauthorized } from "../principal.ts";
import { type IssuerKeys, keysUnavailable } from "./issuer-keys.ts";
import type { Jws } from "./jws.ts";
import type { KeyUnits, KeyUnitOptions } from "./key-units.ts";
import { createRights, type PrincipalOf, type RightsOptions } from "./rights.ts";
import { type CheckedToken, createTokenCheck, type TokenCheck } from "./token-check.ts";

/** An entry of `auth.issuers` as configured. Durations are in milliseconds. */
export interface IssuerOptions extends RightsOptions, KeyUnitOptions {
  readonly audience: readonly string[];
  readonly algorithms: readonly string[];
  readonly types: readonly string[];
  readonly subject: string;
  readonly clockSkew: number;
  /** Characters. */
  readonly maxTokenSize: number;
}

/** A principal, and how long its token can be remembered. */
export interface IssuedPrincipal {
  readonly principal: Principal;
  /** Milliseconds since the epoch. */
  readonly notBefore: number;
  readonly expires: number;
  /** True while the keys are those of the check. Throws KEYS_UNAVAILABLE if they are too old. */
  readonly isCurrent: () => boolean;
}

export interface Issuers {
  /** The longest token that an entry accepts. */
  readonly maxTokenSize: number;
  /**
   * Returns a promise only if the token waits for a fetch of the keys. Fails with UNAUTHORIZED, whose cause is the reason, and with
   * KEYS_UNAVAILABLE.
   */
  readonly verify: (token: Jws) => IssuedPrincipal | Promise<IssuedPrincipal>;
  /**
   * The principal of the same token with its present rights; undefined: the token is not accepted any more. The expiry of the token
   * does not count. Other kinds of principals are undefined too. A principal of these settings and the present keys is returned as it is.
   */
  readonly renew: (principal: Principal) => Principal | undefined;
  /** Keys that no other `Issuers` uses are not fetched any more. Tokens can still be verified. */
  readonly close: () => void;
}

interface IssuersOptions {
  readonly entries: readonly IssuerOptions[];
  readonly units: KeyUnits;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

interface Entry {
  readonly keys: IssuerKeys;
  readonly check: TokenCheck;
  readonly principalOf: PrincipalOf;
}

/** The tokens of the principals, for `renew`. It has claims, but no signature: nobody can use it as a token. */
const tokens = new WeakMap<Principal, CheckedToken>();

/** Throws SETTINGS_INVALID for an invalid pattern or origin. */
export const createIssuers = ({ entries, units, now }: IssuersOptions): Issuers => {
  // Before any keys are taken: they would not be released after a fault.
  const rights = entries.map(createRights);
  const taken = entries.map((entry) => units.take(entry));
  const byIssuer = new Map<unknown, Entry>();
  for (const [i, { audience: audiences, ...entry }] of entries.entries()) {
    const keys = taken[i]?.keys;
    const principalOf = rights[i];
    if (keys === undefined || principalOf === undefined) continue;
    byIssuer.set(entry.issuer, {
      keys,
      principalOf,
      check: createTokenCheck({ ...entry, audiences, keys, now }),
    });
  }

  /** The principals that these settings have made: true while the keys are the same. */
  const own = new WeakMap<Principal, () => boolean>();
  const issued = ({ keys, principalOf }: Entry, token: CheckedToken): IssuedPrincipal => {
    const { notBefore, expires, version } = token;
    const principal = principalOf(token.claims, token.subject);
    tokens.set(principal, token);
    own.set(principal, () => keys.version === version);
    const isCurrent = (): boolean => {
      if (!keys.areAvailable) throw keysUnavailable();
      return keys.version === version;
    };
    return { principal, notBefore, expires, isCurrent };
  };

  return {
    maxTokenSize: Math.max(0, ...entries.map(({ maxTokenSize }) => maxTokenSize)),
    verify: (token) => {
      const entry = byIssuer.get(token.payload["iss"]);
      if (entry === undefined) throw unauthorized("unknown issuer");
      const checked = entry.check.checkParsed(token);
      return checked instanceof Promise
        ? checked.then((known) => issued(entry, known))
        : issued(entry, checked);
    },
    renew: (principal) => {
      const token = tokens.get(principal);
      if (token === undefined) return undefined;
      if (own.get(principal)?.() === true) return principal;
      const entry = byIssuer.get(token.claims["iss"]);
      const renewed = entry?.check.renewed(token);
      return entry && renewed && issued(entry, renewed).principal;
    },
    close: () => {
      for (const unit of taken) unit.release();
    },
  };
};

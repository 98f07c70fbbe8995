/** The issuers of the settings: chooses the issuer of a token and makes a principal of it. */
import { type Principal, unauthorized } from "../principal.ts";
import { type IssuerKeys, keysUnavailable } from "./issuer-keys.ts";
import type { JsonObject, Jws } from "./jws.ts";
import type { KeyUnits, KeyUnitOptions } from "./key-units.ts";
import { createRights, type RightsOf, type RightsOptions } from "./rights.ts";
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
  /** Memory of the principal and the claims, estimated from above. */
  readonly bytes: number;
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
   * The principal of the same token with its present rights: the same object if it is of these `Issuers`. undefined: the token is
   * not accepted any more, or the principal is of another kind. The expiry of the token does not count. A principal of these settings and the present keys is returned as it is.
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
  readonly rightsOf: RightsOf;
}

/** What `renew` needs of a token. It has no signature, so nobody can use it as a token. */
interface TokenSource {
  readonly issuers: Issuers;
  readonly keys: IssuerKeys;
  readonly token: Omit<CheckedToken, "claims">;
  /** The claims as JSON: as objects they would cost more memory, and more time of the garbage collector. */
  readonly claims: string;
}

/** A text with a character beyond Latin-1 has two bytes for each of its characters. */
const BYTES_OF_CHARACTER = 2;

/** Of all `Issuers` of the process: after a reload, the new ones renew the principals of the old ones. */
const sources = new WeakMap<Principal, TokenSource>();

/** Throws SETTINGS_INVALID for an invalid pattern or origin. */
export const createIssuers = ({ entries, units, now }: IssuersOptions): Issuers => {
  // Before any keys are taken: they would not be released after a fault.
  const rights = entries.map(createRights);
  const taken = entries.map((entry) => units.take(entry));
  const byIssuer = new Map<unknown, Entry>();
  for (const [i, { audience: audiences, ...entry }] of entries.entries()) {
    const keys = taken[i]?.keys;
    const rightsOf = rights[i];
    if (keys === undefined || rightsOf === undefined) continue;
    byIssuer.set(entry.issuer, {
      keys,
      rightsOf,
      check: createTokenCheck({ ...entry, audiences, keys, now }),
    });
  }

  const issued = ({ keys, rightsOf }: Entry, checked: CheckedToken, text: string): IssuedPrincipal => {
    const { claims, ...token } = checked;
    const { notBefore, expires, version } = token;
    const { principal, bytes } = rightsOf(claims, token.subject);
    sources.set(principal, { issuers, keys, token, claims: text });
    const isCurrent = (): boolean => {
      if (!keys.areAvailable) throw keysUnavailable();
      return keys.version === version;
    };
    return { principal, notBefore, expires, bytes: bytes + text.length * BYTES_OF_CHARACTER, isCurrent };
  };

  const issuers: Issuers = {
    maxTokenSize: Math.max(0, ...entries.map(({ maxTokenSize }) => maxTokenSize)),
    verify: (token) => {
      const entry = byIssuer.get(token.payload["iss"]);
      if (entry === undefined) throw unauthorized("unknown issuer");
      const checked = entry.check.checkParsed(token);
      return checked instanceof Promise
        ? checked.then((known) => issued(entry, known, token.payloadText))
        : issued(entry, checked, token.payloadText);
    },
    renew: (principal) => {
      const source = sources.get(principal);
      if (source === undefined) return undefined;
      const isOwn = source.issuers === issuers;
      if (isOwn && source.keys.version === source.token.version) return principal;
      const claims = JSON.parse(source.claims) as JsonObject;
      const entry = byIssuer.get(claims["iss"]);
      const renewed = entry?.check.renewed({ ...source.token, claims });
      if (entry === undefined || renewed === undefined) return undefined;
      return isOwn ? principal : issued(entry, renewed, source.claims).principal;
    },
    close: () => {
      for (const unit of taken) unit.release();
    },
  };
  return issuers;
};

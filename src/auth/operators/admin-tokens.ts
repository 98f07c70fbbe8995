/** The operators' tokens of the settings: `admin.token` and `admin.tokens`. */
import { createHash, timingSafeEqual } from "node:crypto";
import { type SecretVerifier, sha256, type StoredSecret, storedSecret } from "../secrets.ts";
import type { Role } from "./operator.ts";

export interface AdminTokenOptions {
  readonly name: string;
  /** Plain text or a scrypt hash. */
  readonly token: string;
  readonly role: Role;
  /** Milliseconds since the epoch. Absent: the token does not expire. */
  readonly expires?: number | undefined;
}

export interface AdminToken {
  readonly name: string;
  readonly role: Role;
  readonly expires: number | undefined;
  /** Changes with the name and with the configured text of the token. */
  readonly fingerprint: Buffer;
}

export interface GivenToken {
  readonly token: string;
  /** The name of a Basic credential. Absent: a token of any name. */
  readonly name?: string | undefined;
}

export interface AdminTokens {
  /**
   * The valid token with this text and, if a name is given, with this name. undefined: no configured token matches. Each given
   * token is compared with all configured tokens, so the time does not reveal a name. Rejects with OVERLOADED if a hash must be
   * derived and too many derivations wait.
   */
  find(given: GivenToken, party: Parameters<SecretVerifier["verify"]>[2]): Promise<AdminToken | undefined>;
  /** As `find`, without a derivation: a hashed token counts only if it matched before. */
  findKnown(given: GivenToken): AdminToken | undefined;
  /** undefined: there is no token with this name, or it has expired. */
  named(name: string): AdminToken | undefined;
}

interface AdminTokensOptions {
  /** `admin.token`: it has the name and the role `admin`, and is accepted with any name. */
  readonly token: string | undefined;
  readonly tokens: readonly AdminTokenOptions[];
  readonly verifier: SecretVerifier;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

interface Configured extends AdminToken {
  readonly secret: StoredSecret;
  readonly hasAnyName: boolean;
}

/** Throws SETTINGS_INVALID for an empty token, and for a hash that is not scrypt. */
export const createAdminTokens = (options: AdminTokensOptions): AdminTokens => {
  const { verifier, now } = options;
  const all = [
    ...(options.token === undefined
      ? []
      : [configured({ name: "admin", token: options.token, role: "admin" }, true)]),
    ...options.tokens.map((token) => configured(token, false)),
  ];
  const isLive = ({ expires = Infinity }: Configured): boolean => now() < expires;

  const fits = ({ name }: GivenToken, one: Configured): boolean =>
    isLive(one) && (name === undefined || one.hasAnyName || one.name === name);
  /** The configured tokens with this text, of any name. */
  const knownOf = (token: string): readonly Configured[] => {
    const digest = sha256(token);
    return all.filter(({ secret }) =>
      secret.scrypt === undefined
        ? timingSafeEqual(secret.digest, digest)
        : verifier.known(secret, token) === true,
    );
  };

  return {
    find: async (given, party) => {
      const { token } = given;
      // A token that matched before needs no derivation, whatever stands before it in the list.
      const known = knownOf(token);
      const found = known.find((one) => fits(given, one));
      if (found !== undefined) return found;
      for (const one of all) {
        if (one.secret.scrypt === undefined || known.includes(one)) continue;
        if ((await verifier.verify(one.secret, token, party)) && fits(given, one)) return one;
      }
      return undefined;
    },
    findKnown: (given) => knownOf(given.token).find((one) => fits(given, one)),
    named: (name) => all.find((one) => one.name === name && isLive(one)),
  };
};

const FINGERPRINT_BYTES = 16;

const configured = ({ name, token, role, expires }: AdminTokenOptions, hasAnyName: boolean): Configured => {
  const secret = storedSecret(token);
  return { name, role, expires, secret, hasAnyName, fingerprint: fingerprintOf([name, secret.digest]) };
};

/** A short digest that changes with each of the parts. */
export const fingerprintOf = (parts: readonly (string | Buffer)[]): Buffer => {
  const sum = createHash("sha256");
  // The digest of each part has one length, so that no text can move from one part to the next.
  for (const part of parts) sum.update(createHash("sha256").update(part).digest());
  return sum.digest().subarray(0, FINGERPRINT_BYTES);
};

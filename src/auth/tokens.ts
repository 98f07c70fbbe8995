/** JSON Web Tokens (RFC 7519), signed with HMAC SHA-256 and nothing else. */
import {
  createHmac,
  createSecretKey,
  hkdfSync,
  type KeyObject,
  randomUUID,
  timingSafeEqual,
} from "node:crypto";
import jwt from "jsonwebtoken";
import { z } from "zod";
import { GatewayError } from "../errors.ts";
import type { AccountName } from "./accounts.ts";
import { unauthorized } from "./principal.ts";
import { type Scope, scopeShape } from "./scope.ts";

/** A signing secret, and the name by which tokens' headers say that it signed them. */
export interface TokenKey {
  readonly kid: string;
  /** The raw HMAC key, as UTF-8. */
  readonly secret: string;
}

export interface TokenOptions {
  /** Access tokens and refresh tokens never pass for each other. */
  readonly use: "access" | "refresh";
  /** The first signs; all verify, so that one can be replaced while its tokens are about. */
  readonly keys: readonly TokenKey[];
  readonly issuer: string;
  readonly audience: string;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

export interface TokenSubject extends AccountName {
  readonly scope: Scope;
}

interface VerifiedToken extends TokenSubject {
  /** Milliseconds since the epoch: from when, and until before when, the token holds. */
  readonly notBefore: number;
  readonly expires: number;
  /** Was the token bound to this credential when it was issued? */
  readonly isBoundTo: (credential: Buffer) => boolean;
}

export interface Tokens {
  /** `ttl` in milliseconds; `credential` is what the token is bound to: its traces can't be turned back into it. */
  issue(subject: TokenSubject, ttl: number, credential?: Buffer): string;
  /** Throws UNAUTHORIZED for all but a token that `issue` made, with every claim it made, and that holds now. */
  verify(token: string): VerifiedToken;
}

/** Longer ones are none of ours; refusing them early makes them cheap. */
const MAX_TOKEN_CHARACTERS = 8192;

/** Throws SETTINGS_INVALID without keys, or with an empty one. */
export const createTokens = (options: TokenOptions): Tokens => {
  const { use, issuer, audience, now = Date.now } = options;
  const keys = options.keys.map(signingKey);
  const [signer] = keys;
  if (signer === undefined)
    throw new GatewayError("SETTINGS_INVALID", { message: `there is no secret for ${use} tokens` });
  const claimsShape = claimsOf(use);
  const seconds = (): number => Math.floor(now() / 1000);

  return {
    issue: ({ username, accountId, scope }, ttl, credential) => {
      const iat = seconds();
      const claims = {
        ...{ sub: username, iat, exp: iat + Math.ceil(ttl / 1000), jti: randomUUID() },
        ...{ iss: issuer, aud: audience, typ: use, scope },
        ...(accountId !== undefined && { account_id: accountId }),
        ...(credential && { binding: bindingOf(signer, credential).toString("base64url") }),
      };
      return jwt.sign(claims, signer.hmac, { algorithm: "HS256", keyid: signer.kid });
    },

    verify: (token) => {
      if (token.length > MAX_TOKEN_CHARACTERS) throw unauthorized("invalid token");
      for (const key of keysFor(token, keys)) {
        const payload = verifiedPayload(token, key, { issuer, audience, clockTimestamp: seconds() });
        const claims = claimsShape.safeParse(payload).data;
        if (claims !== undefined) return verifiedToken(claims, key);
      }
      throw unauthorized("invalid token");
    },
  };
};

const claimsOf = (use: "access" | "refresh") =>
  z.object({
    sub: z.string().min(1),
    iat: z.number(),
    exp: z.number(),
    nbf: z.number().optional(),
    jti: z.string().min(1),
    typ: z.literal(use),
    scope: scopeShape,
    account_id: z.number().optional(),
    binding: z.string().optional(),
  });

type Claims = z.output<ReturnType<typeof claimsOf>>;

interface SigningKey {
  readonly kid: string;
  /** A KeyObject: jsonwebtoken first tries a string as a public key, which makes each verification 540 µs, not 12. */
  readonly hmac: KeyObject;
  readonly binding: Buffer;
}

const signingKey = ({ kid, secret }: TokenKey): SigningKey => {
  if (secret === "") throw new GatewayError("SETTINGS_INVALID", { message: "a token secret is empty" });
  const binding = Buffer.from(hkdfSync("sha256", secret, "", "stationgate credential binding", 32));
  return { kid, hmac: createSecretKey(secret, "utf8"), binding };
};

/** Keyed by what is derived from the signing key: the claim neither gives the credential away nor lets it be guessed. */
const bindingOf = (key: SigningKey, credential: Buffer): Buffer =>
  createHmac("sha256", key.binding).update(credential).digest();

/** The keys of the token's `kid`; those with any other could only fail. A token without one may be of each. */
const keysFor = (token: string, keys: readonly SigningKey[]): readonly SigningKey[] => {
  const kid = decodedHeader(token)?.kid;
  return kid === undefined ? keys : keys.filter((key) => key.kid === kid);
};

const decodedHeader = (token: string): jwt.JwtHeader | undefined => {
  try {
    return jwt.decode(token, { complete: true })?.header;
  } catch {
    return undefined;
  }
};

const verifiedPayload = (token: string, key: SigningKey, options: jwt.VerifyOptions): unknown => {
  try {
    return jwt.verify(token, key.hmac, { ...options, algorithms: ["HS256"] });
  } catch {
    return undefined;
  }
};

const verifiedToken = (claims: Claims, key: SigningKey): VerifiedToken => ({
  username: claims.sub,
  accountId: claims.account_id,
  scope: claims.scope,
  notBefore: (claims.nbf ?? 0) * 1000,
  expires: claims.exp * 1000,
  isBoundTo: (credential) => {
    const bound = Buffer.from(claims.binding ?? "", "base64url");
    const expected = bindingOf(key, credential);
    return bound.length === expected.length && timingSafeEqual(bound, expected);
  },
});

/** Tokens with which the gateway signs in to a service that it calls. */

/** A JWT (RFC 7519, HS256) with the claims `iat` and `exp` and no other; `now` and `ttl` in milliseconds. */
export const serviceToken = (secret: string, now: number, ttl: number): string => {
  const iat = Math.floor(now / 1000);
  return claimsToken(secret, { iat, exp: iat + Math.floor(ttl / 1000) });
};

/** A JWT (RFC 7519, HS256) with exactly these claims. Its header names no type, as in the Anchor Platform's own tokens. */
export const claimsToken = (secret: string, claims: Readonly<Record<string, unknown>>): string =>
  jwt.sign(claims, secret, {
    algorithm: "HS256",
    // By default jsonwebtoken adds the time of now; with this option it removes the claim.
    noTimestamp: !("iat" in claims),
    header: { alg: "HS256", typ: undefined },
  });

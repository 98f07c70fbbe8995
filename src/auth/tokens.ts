/** JSON Web Tokens (RFC 7519). The only algorithm is HMAC SHA-256 (HS256). */
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

/** A signing secret, and its key id (`kid`) in the header of tokens. */
export interface TokenKey {
  readonly kid: string;
  /** The raw HMAC key, as UTF-8. */
  readonly secret: string;
}

export interface TokenOptions {
  /** An access token is never accepted as a refresh token, and a refresh token never as an access token. */
  readonly use: "access" | "refresh";
  /** The first key signs; all keys verify. So a key can be rotated while its tokens are still valid. */
  readonly keys: readonly TokenKey[];
  readonly issuer: string;
  readonly audience: string;
  /** Milliseconds since the epoch. */
  readonly now?: () => number;
}

export interface TokenSubject extends AccountName {
  readonly scope: Scope;
}

/** What a verified token rests on, apart from its times. */
export interface TokenProof {
  /** The `kid` of the token's header. */
  readonly kid: string | undefined;
  /** Derived from the secret that signed the token. */
  readonly key: Buffer;
  readonly issuer: string;
  readonly audience: string;
}

interface VerifiedToken extends TokenSubject {
  readonly proof: TokenProof;
  /** The token is valid from `notBefore` until just before `expires`; milliseconds since the epoch. */
  readonly notBefore: number;
  readonly expires: number;
  /** True if the token was issued for this credential. */
  readonly isBoundTo: (credential: Buffer) => boolean;
}

export interface Tokens {
  /** `ttl` in milliseconds. A token that is bound to a `credential` does not reveal it. */
  issue(subject: TokenSubject, ttl: number, credential?: Buffer): string;
  /** Throws UNAUTHORIZED unless `issue` made the token, all its claims are there, and it is valid now. */
  verify(token: string): VerifiedToken;
  /** Would `verify` accept the token with this proof, if its times are valid? */
  stillVerifies(proof: TokenProof): boolean;
}

/** The gateway never issues a token above this length. It refuses a longer token before it verifies the signature. */
export const MAX_TOKEN_CHARACTERS = 8192;

/** Throws SETTINGS_INVALID without keys, or with an empty secret. */
export const createTokens = (options: TokenOptions): Tokens => {
  const { use, issuer, audience, now = Date.now } = options;
  const keys = options.keys.map(signingKey);
  const [signer] = keys;
  if (signer === undefined)
    throw new GatewayError("SETTINGS_INVALID", {
      message: `there is no secret for ${use} tokens; set auth.${use}Token.secret`,
    });
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
      const kid = decodedHeader(token)?.kid;
      for (const key of keysFor(kid, keys)) {
        const payload = verifiedPayload(token, key, { issuer, audience, clockTimestamp: seconds() });
        const claims = claimsShape.safeParse(payload).data;
        const proof = { kid, key: key.binding, issuer, audience };
        if (claims !== undefined) return { ...verifiedToken(claims, key), proof };
      }
      throw unauthorized("invalid token");
    },

    stillVerifies: (proof) =>
      proof.issuer === issuer &&
      proof.audience === audience &&
      keysFor(proof.kid, keys).some(({ binding }) => timingSafeEqual(binding, proof.key)),
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
  /** With a KeyObject a verification takes 12 µs. With a string it takes 540 µs: jsonwebtoken first tries to parse a public key. */
  readonly hmac: KeyObject;
  readonly binding: Buffer;
}

const signingKey = ({ kid, secret }: TokenKey): SigningKey => {
  if (secret === "") throw new GatewayError("SETTINGS_INVALID", { message: "a token secret is empty" });
  const binding = Buffer.from(hkdfSync("sha256", secret, "", "stationgate credential binding", 32));
  return { kid, hmac: createSecretKey(secret, "utf8"), binding };
};

/** HMAC under a key that is derived from the signing key, so that the claim does not help to guess the credential. */
const bindingOf = (key: SigningKey, credential: Buffer): Buffer =>
  createHmac("sha256", key.binding).update(credential).digest();

/** The keys with the token's `kid`; all keys if the token has no `kid`. */
const keysFor = (kid: string | undefined, keys: readonly SigningKey[]): readonly SigningKey[] =>
  kid === undefined ? keys : keys.filter((key) => key.kid === kid);

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

const verifiedToken = (claims: Claims, key: SigningKey): Omit<VerifiedToken, "proof"> => ({
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

/** A JWT for a service that the gateway calls. It has only the claims `iat` and `exp`. `now` and `ttl` are in milliseconds. */
export const serviceToken = (secret: string, now: number, ttl: number): string => {
  const iat = Math.floor(now / 1000);
  return claimsToken(secret, { iat, exp: iat + Math.floor(ttl / 1000) });
};

/** A JWT (RFC 7519, HS256) with exactly these claims. Its header names no type, as in the Anchor Platform's own tokens. */
export const claimsToken = (secret: string, claims: Readonly<Record<string, unknown>>): string =>
  jwt.sign(claims, secret, {
    algorithm: "HS256",
    // jsonwebtoken adds the claim `iat` without this option, and removes `iat` from the claims with this option.
    noTimestamp: !("iat" in claims),
    header: { alg: "HS256", typ: undefined },
  });

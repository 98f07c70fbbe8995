/** Tokens with which the gateway signs in to a service that it calls. */
import jwt from "jsonwebtoken";

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

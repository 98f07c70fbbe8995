/** Tokens with which the gateway signs in to a service that it calls. */
import jwt from "jsonwebtoken";

/** A JWT (RFC 7519, HS256) with the claims `iat` and `exp` and no other; `now` and `ttl` in milliseconds. */
export const serviceToken = (secret: string, now: number, ttl: number): string => {
  const iat = Math.floor(now / 1000);
  const claims = { iat, exp: iat + Math.floor(ttl / 1000) };
  // The Anchor Platform's own tokens name no type.
  return jwt.sign(claims, secret, { algorithm: "HS256", header: { alg: "HS256", typ: undefined } });
};

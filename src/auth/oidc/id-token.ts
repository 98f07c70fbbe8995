/** The checks of the ID token of a sign-in (OpenID Connect Core 1.0, 3.1.3.7). */
import { timingSafeEqual } from "node:crypto";
import { asGatewayError } from "../../errors.ts";
import type { IssuerKeys } from "../issuers/issuer-keys.ts";
import type { JsonObject } from "../issuers/jws.ts";
import { createTokenCheck } from "../issuers/token-check.ts";
import { providerUnreachable, wrongAnswer } from "./failures.ts";
import { ALGORITHMS, MAX_TOKEN_SIZE, type ProviderOptions } from "./provider.ts";

export interface IdToken {
  readonly claims: JsonObject;
  readonly sub: string;
}

/** Fails with SIGN_IN_FAILED: with 503 if the keys are not available, else with 401. */
export type CheckIdToken = (token: string, nonce: string) => Promise<IdToken>;

interface CheckOptions extends Pick<ProviderOptions, "issuer" | "clientId" | "clockSkew"> {
  readonly keys: IssuerKeys;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export const createIdTokenCheck = ({ clientId, ...options }: CheckOptions): CheckIdToken => {
  const { check } = createTokenCheck({
    ...options,
    audiences: [clientId],
    algorithms: ALGORITHMS,
    types: ["JWT"],
    maxTokenSize: MAX_TOKEN_SIZE,
    subject: "sub",
    acceptsIdTokens: true,
  });
  const checked = async (token: string) => check(token);
  return async (token, nonce) => {
    const { claims, subject: sub } = await checked(token).catch((error: unknown) => {
      const { code, cause } = asGatewayError(error);
      if (code === "KEYS_UNAVAILABLE") throw providerUnreachable(cause);
      throw code === "UNAUTHORIZED" ? wrongAnswer(`ID token: ${String(cause)}`) : error;
    });
    const fault = faultOf(claims, clientId, nonce);
    if (fault !== undefined) throw wrongAnswer(`ID token: ${fault}`);
    return { claims, sub };
  };
};

/** The checks that only ID tokens need. */
const faultOf = ({ iat, aud, azp, nonce: given }: JsonObject, clientId: string, nonce: string) => {
  if (typeof iat !== "number") return "no iat";
  if (Array.isArray(aud) && aud.length > 1 && azp !== clientId) return "wrong azp";
  return typeof given === "string" && isSameText(given, nonce) ? undefined : "wrong nonce";
};

/** The time does not depend on the first difference. */
export const isSameText = (one: string, other: string): boolean => {
  const [first, second] = [Buffer.from(one), Buffer.from(other)];
  return first.length === second.length && timingSafeEqual(first, second);
};

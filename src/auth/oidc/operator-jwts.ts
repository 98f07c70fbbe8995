/** JWTs of the operators' identity provider as a credential of the operators' listener. */
import { GatewayError } from "../../errors.ts";
import type { IssuerKeys } from "../issuers/issuer-keys.ts";
import { type Jws, parseJws } from "../issuers/jws.ts";
import { type CheckedToken, createTokenCheck } from "../issuers/token-check.ts";
import { type Caller, type Operator, refusalOf, type Role } from "../operators/operator.ts";
import type { OperatorJwts } from "../operators/operators.ts";
import { createClaimed } from "./claimed.ts";
import { ALGORITHMS, MAX_TOKEN_SIZE, type ProviderOptions } from "./provider.ts";

interface JwtOptions {
  readonly provider: Pick<ProviderOptions, "issuer" | "clockSkew" | "nameClaim" | "rolesClaim" | "roles">;
  /** The `aud` of the tokens. */
  readonly audience: string;
  readonly keys: IssuerKeys;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** The tokens of the operators, for `renew`. It has claims, but no signature: nobody can use it as a token. */
const tokens = new WeakMap<Operator, CheckedToken>();

/** The last time that a Date can hold, in milliseconds since the epoch. */
const LAST_TIME = 8.64e15;

/** Three parts, of which the first begins as the base64url of a JSON object does. */
const FORM = /^ey[^.]*\.[^.]*\.[^.]*$/;

const parsed = (text: string): Jws | undefined => (text.length > MAX_TOKEN_SIZE ? undefined : parseJws(text));

/** A text that is no token of the provider is another kind of credential. Also fails with KEYS_UNAVAILABLE. */
export const createOperatorJwts = ({ provider, audience, keys, now }: JwtOptions): OperatorJwts => {
  const { issuer, clockSkew } = provider;
  const claimed = createClaimed(provider);
  const { checkParsed, renewed } = createTokenCheck({
    ...{ issuer, clockSkew, keys, now },
    audiences: [audience],
    algorithms: ALGORITHMS,
    types: ["at+jwt", "JWT"],
    maxTokenSize: MAX_TOKEN_SIZE,
    subject: "sub",
  });

  const callerOf = ({ claims, subject: sub }: CheckedToken): Caller => ({
    name: claimed.nameOf(sub, claims),
    via: "bearer",
    subject: { iss: issuer, sub },
  });

  const operatorOf = (token: CheckedToken, role: Role): Operator => {
    const expires = Math.min(Number(token.claims["exp"]) * 1000, LAST_TIME);
    const operator: Operator = { ...callerOf(token), role, expires };
    tokens.set(operator, token);
    return operator;
  };

  const admitted = (token: CheckedToken): Operator => {
    const role = claimed.roleOf(token.claims);
    if (role !== undefined) return operatorOf(token, role);
    throw refusalOf(
      callerOf(token),
      new GatewayError("ROLE_FORBIDDEN", { message: "This token has no role here", cause: "no role" }),
    );
  };

  return {
    faultOf: (text) => {
      if (!FORM.test(text)) return undefined;
      return parsed(text) === undefined ? "malformed token" : "unknown issuer";
    },
    admit: (text) => {
      const token = parsed(text);
      if (token?.payload["iss"] !== issuer) return undefined;
      const checked = checkParsed(token);
      return checked instanceof Promise ? checked.then(admitted) : admitted(checked);
    },
    renew: (operator) => {
      const known = tokens.get(operator);
      const token = known && renewed(known);
      const role = token && claimed.roleOf(token.claims);
      return token && role && operatorOf(token, role);
    },
  };
};

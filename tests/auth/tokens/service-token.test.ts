import { serviceToken } from "../../../src/auth/tokens.ts";
import { VECTORS } from "../../delivery/event-service/vectors.ts";

const claimsOf = (token: string): unknown =>
  JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString());

describe("a service token", () => {
  const { secret, iat, exp, token } = VECTORS.jwt;

  it("equals the token of another implementation for the same claims", () => {
    expect(serviceToken(secret, iat * 1000, (exp - iat) * 1000)).toBe(token);
  });

  it("has only the claims iat and exp, in whole seconds", () => {
    expect(claimsOf(serviceToken(secret, 1_700_000_000_999, 5500))).toStrictEqual({
      iat: 1_700_000_000,
      exp: 1_700_000_005,
    });
  });
});

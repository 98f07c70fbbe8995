/** JWTs of the identity provider as a credential of the operators' listener. */
import { createOperatorJwts } from "../../../src/auth/oidc/operator-jwts.ts";
import { type Operator, refusedCaller } from "../../../src/auth/operators/operator.ts";
import type { OperatorSource } from "../../../src/auth/operators/operators.ts";
import type { GatewayError } from "../../../src/errors.ts";
import {
  createFakeIssuer,
  createKey,
  ISSUER,
  type Json,
  openKeys,
  settle,
  START,
  tokenOf,
} from "../issuers/support.ts";
import { KEY, PROVIDER } from "./support.ts";

const AUDIENCE = "stationgate-admin";

const open = async (isDown = false) => {
  const issuer = createFakeIssuer(KEY);
  const { keys, clock } = openKeys(issuer, { state: isDown ? "failing" : "up" });
  await settle();
  const sourceWith = (provider: Partial<typeof PROVIDER> = {}) =>
    createOperatorJwts({
      provider: { ...PROVIDER, ...provider },
      audience: AUDIENCE,
      keys,
      now: () => clock.now(),
    });
  return { issuer, keys, clock, sourceWith, ...sourceWith() };
};

const jwt = (claims: Json = {}, header: Json = {}, key = KEY) =>
  tokenOf(key, { aud: AUDIENCE, groups: ["ops"], preferred_username: "Ann", ...claims }, header);

const admitted = async (admit: OperatorSource<string>["admit"]): Promise<Operator> => {
  const operator = await admit(jwt());
  if (operator === undefined) throw new Error("the token is of another kind");
  return operator;
};

const failureOf = async (work: () => unknown) => {
  try {
    await work();
    return undefined;
  } catch (error) {
    const { code, status, cause } = error as GatewayError;
    return [code, status, cause];
  }
};

it("identifies the operator", async () => {
  const { admit } = await open();
  expect(await admit(jwt())).toEqual({
    ...{ name: "Ann", role: "operator", via: "bearer" },
    expires: START + 300_000,
    subject: { iss: ISSUER, sub: "ann" },
  });
  expect((await admit(jwt({ preferred_username: undefined, groups: "staff" }, { typ: "JWT" })))?.name).toBe(
    "ann",
  );
});

it("has an expiry that a Date can hold", async () => {
  const { admit } = await open();
  const operator = await admit(jwt({ exp: 9e12 }));
  expect(new Date(operator?.expires ?? NaN).toISOString()).toBe("+275760-09-13T00:00:00.000Z");
});

it("refuses a valid token without a role with 403", async () => {
  const { admit } = await open();
  for (const groups of [undefined, [], ["others"]])
    expect(await failureOf(() => admit(jwt({ groups })))).toEqual(["ROLE_FORBIDDEN", 403, "no role"]);
  const refusal = (await Promise.resolve()
    .then(() => admit(jwt({ groups: [] })))
    .catch((error: unknown) => error)) as GatewayError;
  expect(refusedCaller(refusal)).toEqual({
    ...{ name: "Ann", via: "bearer" },
    subject: { iss: ISSUER, sub: "ann" },
  });
});

it.each<[string, () => string, string]>([
  ["for another audience", () => jwt({ aud: "stationgate" }), "wrong audience"],
  ["that has expired", () => jwt({ exp: START / 1000 - 31 }), "expired"],
  ["of another key", () => jwt({}, {}, createKey("ES256")), "wrong signature"],
  ["with an algorithm that is not allowed", () => jwt({}, { alg: "none" }), "algorithm not allowed"],
  ["that is an ID token", () => jwt({ at_hash: "x" }), "wrong token type"],
  ["that is a refresh token", () => jwt({ typ: "Refresh" }), "wrong token type"],
])("refuses a token %s with 401", async (_, token, reason) => {
  const { admit } = await open();
  expect(await failureOf(() => admit(token()))).toEqual(["UNAUTHORIZED", 401, reason]);
});

it("leaves other credentials to others", async () => {
  const { admit } = await open();
  for (const text of ["a-plain-token", "a.b.c", jwt({ iss: "https://other.example" }), "a".repeat(20_000)])
    expect(admit(text)).toBeUndefined();
});

it.each<[string, () => string, string | undefined]>([
  ["a JWT that is too long", () => jwt({ pad: "x".repeat(12_288) }), "malformed token"],
  ["a JWT with a broken payload", () => jwt().replace(/\.[^.]+\./, ".x."), "malformed token"],
  ["a JWT of another issuer", () => jwt({ iss: "https://other.example" }), "unknown issuer"],
  ["a plain token", () => "eyes-only.token", undefined],
])("knows why it can't accept %s", async (_, text, fault) => {
  const { admit, faultOf } = await open();
  expect([admit(text()), faultOf(text())]).toEqual([undefined, fault]);
});

it("fails with 503 without keys", async () => {
  const { admit } = await open(true);
  expect(await failureOf(() => admit(jwt()))).toEqual(["KEYS_UNAVAILABLE", 503, "keys unavailable"]);
});

describe("renewing", () => {
  it("gives the operator the role of the present settings", async () => {
    const { admit, sourceWith } = await open();
    const operator = await admitted(admit);
    const next = sourceWith({ roles: { ...PROVIDER.roles, viewer: ["ops"], operator: [] } });
    expect(next.renew(operator)).toEqual({ ...operator, role: "viewer" });
    expect(sourceWith({ roles: { viewer: [], operator: [], admin: [] } }).renew(operator)).toBeUndefined();
    expect(sourceWith({ issuer: "https://other.example" }).renew(operator)).toBeUndefined();
  });

  it("ends with the key", async () => {
    const { admit, renew, keys, clock } = await open();
    const operator = await admitted(admit);
    keys.adopt({ jwks: [], discovery: undefined, fetchedAt: clock.now() + 1 });
    expect(renew(operator)).toBeUndefined();
  });

  it("knows only its own operators", async () => {
    const { renew } = await open();
    expect(renew({ name: "Ann", role: "admin", via: "bearer" })).toBeUndefined();
  });
});

/** The sign-in with a real identity provider (npm's oidc-provider), without a browser. */
import { createDocumentClient, createDocumentFetch } from "../../../src/auth/issuers/issuer-documents.ts";
import { createIssuerKeys } from "../../../src/auth/issuers/issuer-keys.ts";
import { createJsonClient } from "../../../src/auth/json-request.ts";
import { createProviderSignIn } from "../../../src/auth/oidc/sign-in.ts";
import { createSealer } from "../../../src/auth/operators/sealer.ts";
import type { GatewayError } from "../../../src/errors.ts";
import { systemClock } from "../../../src/lib/clock.ts";
import {
  CLIENT,
  type IdentityProvider,
  type ProviderOptions as IdentityProviderOptions,
  signInAtProvider,
  startIdentityProvider,
} from "../../support/real-provider.ts";
import { PROVIDER } from "./support.ts";

const PUBLIC_URL = "http://127.0.0.1:9";
const GROUPS = { ann: ["staff", "ops"], eve: [] };

let closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  await Promise.all(closing.map((close) => close()));
  closing = [];
});

const open = async (options: Partial<IdentityProviderOptions> = {}) => {
  const idp: IdentityProvider = await startIdentityProvider({
    publicUrl: PUBLIC_URL,
    groups: GROUPS,
    ...options,
  });
  const { issuer } = idp;
  const keys = createIssuerKeys({
    fetch: createDocumentFetch({ issuer, jwksUri: undefined, get: createDocumentClient(undefined) }),
    ...{ refresh: 600_000, maxStale: 86_400_000, fetchTimeout: 30_000, clock: systemClock },
    observer: {
      fetched: () => undefined,
      failing: () => undefined,
      changed: () => undefined,
      leftOut: () => undefined,
    },
  });
  closing.push(async () => {
    keys.close();
    await idp.close();
  });
  const signIn = createProviderSignIn({
    provider: { ...PROVIDER, ...CLIENT, issuer, endSession: true },
    ...{ publicUrl: PUBLIC_URL, keys, sealer: createSealer(["a secret"], "sign-in"), now: Date.now },
    ...{ request: createJsonClient(undefined), timeout: 30_000 },
  });
  return { idp, signIn };
};

it.each<[string, Partial<IdentityProviderOptions>, number]>([
  ["all claims in the ID token", {}, 0],
  ["only sub in the ID token, and the rest in userinfo", { slimTokens: true }, 1],
  ["the client's secret in the body", { authMethod: "client_secret_post" }, 0],
])("identifies the operator with %s", async (_, options, asked) => {
  const { idp, signIn } = await open(options);
  const { location, sealed } = await signIn.begin("/#/health");
  const { searchParams } = await signInAtProvider(location, "ann");
  expect(searchParams.get("iss")).toBe(idp.issuer);
  expect(await signIn.finish(searchParams, sealed)).toEqual({
    operator: { name: "ann@example", role: "operator", sub: "ann" },
    returnTo: "/#/health",
  });
  expect(idp.requests.get("/me") ?? 0).toBe(asked);
  expect(signIn.endSessionUrl()).toContain(`${idp.issuer}/session/end?client_id=stationgate`);
});

const failureOf = async (work: Promise<unknown>) => {
  const error = (await work.catch((failure: unknown) => failure)) as GatewayError;
  return [error.status, error.message, error.cause];
};

it("refuses a code that is used twice", async () => {
  const { signIn } = await open();
  const { location, sealed } = await signIn.begin(null);
  const { searchParams } = await signInAtProvider(location, "ann");
  await signIn.finish(searchParams, sealed);
  expect(await failureOf(signIn.finish(searchParams, sealed))).toEqual([
    401,
    "The identity provider's answer does not hold",
    "the token endpoint answered 400 invalid_grant",
  ]);
});

it("refuses the code of another sign-in", async () => {
  const { signIn } = await open();
  const [one, other] = [await signIn.begin(null), await signIn.begin(null)];
  const { searchParams } = await signInAtProvider(one.location, "ann");
  searchParams.set("state", other.state);
  const [status, , cause] = await failureOf(signIn.finish(searchParams, other.sealed));
  expect([status, cause]).toEqual([401, "the token endpoint answered 400 invalid_grant"]);
});

it("refuses an operator without a role", async () => {
  const { signIn } = await open();
  const { location, sealed } = await signIn.begin(null);
  const { searchParams } = await signInAtProvider(location, "eve");
  expect(await failureOf(signIn.finish(searchParams, sealed))).toEqual([
    403,
    "Signed in as eve@example, but without a role here",
    "no role",
  ]);
});

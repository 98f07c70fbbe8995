/** An identity provider whose answers the test decides. */
import { createProviderSignIn, type SignInOptions } from "../../../src/auth/oidc/sign-in.ts";
import type { ProviderOptions } from "../../../src/auth/oidc/provider.ts";
import { createSealer } from "../../../src/auth/operators/sealer.ts";
import type { JsonAnswer, JsonRequest } from "../../../src/auth/json-request.ts";
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

export const CLIENT_ID = "stationgate";
export const PUBLIC_URL = "https://gateway.example";

export const PROVIDER: ProviderOptions = {
  issuer: ISSUER,
  clientId: CLIENT_ID,
  clientSecret: "a secret",
  scopes: ["openid", "profile"],
  clockSkew: 30_000,
  endSession: false,
  nameClaim: "preferred_username",
  rolesClaim: "groups",
  roles: { viewer: ["staff"], operator: ["ops"], admin: ["admins"] },
};

export const DISCOVERY: Json = {
  issuer: ISSUER,
  authorization_endpoint: "https://id.example/authorize?tenant=1",
  token_endpoint: "https://id.example/token",
  userinfo_endpoint: "https://id.example/userinfo",
  end_session_endpoint: "https://id.example/logout",
};

export const KEY = createKey("ES256");

type Answer = Partial<JsonAnswer> | Error;

export interface FakeProvider {
  discovery: Json | undefined;
  /** Claims of the ID token beside those that the sign-in requires. */
  claims: Json;
  token: (request: JsonRequest) => Answer;
  userinfo: Answer;
  readonly requests: JsonRequest[];
}

/** The claims of an ID token that passes all checks. */
const idClaims = (nonce: string | null, claims: Json = {}): Json => ({
  ...{ aud: CLIENT_ID, iat: START / 1000, nonce, groups: ["ops"], preferred_username: "Ann" },
  ...claims,
});

/** `nonce`: of the request that the browser sends to the provider. */
export const idToken = (nonce: string | null, claims: Json = {}): string =>
  tokenOf(KEY, idClaims(nonce, claims), { typ: "JWT" });

/** A sign-in at a fake provider, whose keys have arrived if it is up. */
export const openSignIn = async (
  provider: Partial<ProviderOptions> = {},
  options: Partial<SignInOptions> & { readonly isDown?: boolean } = {},
) => {
  const issuer = createFakeIssuer(KEY);
  issuer.discovery = DISCOVERY;
  const { keys, clock } = openKeys(issuer, { state: options.isDown === true ? "failing" : "up" });
  await settle();
  let nonce: string | null = null;
  const fake: FakeProvider = {
    discovery: DISCOVERY,
    claims: {},
    token: () => ({
      value: { id_token: idToken(nonce, fake.claims), access_token: "access", token_type: "Bearer" },
    }),
    userinfo: { value: { sub: "ann" } },
    requests: [],
  };
  const signIn = createProviderSignIn({
    provider: { ...PROVIDER, ...provider },
    publicUrl: PUBLIC_URL,
    sealer: createSealer(["the secret of the seals"], "sign-in"),
    keys,
    now: () => clock.now(),
    request: async (request) => {
      fake.requests.push(request);
      const answer = request.url === DISCOVERY["token_endpoint"] ? fake.token(request) : fake.userinfo;
      await Promise.resolve();
      if (answer instanceof Error) throw answer;
      return { status: 200, headers: {}, value: undefined, ...answer };
    },
    ...options,
  });
  return {
    ...{ signIn, fake, clock, issuer, keys },
    /** Begins a sign-in, and returns it with the parameters of the authorization request. */
    begin: async (returnTo: string | null = null) => {
      const begun = await signIn.begin(returnTo);
      const sent = new URL(begun.location).searchParams;
      nonce = sent.get("nonce");
      return { ...begun, sent };
    },
  };
};

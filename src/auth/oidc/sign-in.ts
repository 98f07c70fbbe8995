/** The sign-in of an operator with the identity provider: authorization code flow with PKCE. */
import type { IssuerKeys } from "../issuers/issuer-keys.ts";
import type { RequestJson } from "../json-request.ts";
import type { IdentifiedOperator } from "../operators/operator-sessions.ts";
import type { Sealer } from "../operators/sealer.ts";
import {
  authorizationUrl,
  newSignIn,
  openSignIn,
  returnPathOf,
  sealSignIn,
  type SignIn,
} from "./authorization.ts";
import { createClaimed } from "./claimed.ts";
import {
  providerUnreachable,
  refusedByProvider,
  unknownSignIn,
  withoutRole,
  wrongAnswer,
} from "./failures.ts";
import { createIdTokenCheck, type IdToken, isSameText } from "./id-token.ts";
import { type Endpoints, endpointsOf, type ProviderOptions } from "./provider.ts";
import { createProviderRequests, type Tokens } from "./provider-requests.ts";

export interface BegunSignIn {
  /** URL at the provider. */
  readonly location: string;
  readonly state: string;
  /** For a cookie of the browser. At most 1,300 characters of base64url. */
  readonly sealed: string;
}

/** The parameters of the callback. */
export type CallbackParameters = Pick<URLSearchParams, "getAll">;

export interface FinishedSignIn {
  readonly operator: IdentifiedOperator;
  /** A path of this origin. */
  readonly returnTo: string;
}

/** All failures are SIGN_IN_FAILED. */
export interface ProviderSignIn {
  readonly issuer: string;
  /** `returnTo`: a path as the client gave it. Rejects with status 503 if the provider is unreachable. */
  begin(returnTo: string | null): Promise<BegunSignIn>;
  /** `sealed`: the cookie of this state, if the browser has one. */
  finish(parameters: CallbackParameters, sealed: string | undefined): Promise<FinishedSignIn>;
  /** The URL that ends the session at the provider; undefined: the settings or the provider don't have it. */
  readonly endSessionUrl: () => string | undefined;
}

export interface SignInOptions {
  readonly provider: ProviderOptions;
  /** `scheme://host[:port]` of the operators' listener in browsers. */
  readonly publicUrl: string;
  readonly sealer: Sealer;
  readonly keys: IssuerKeys;
  readonly request: RequestJson;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Milliseconds for one request to the provider. */
  readonly timeout?: number;
}

const TIMEOUT = 5000;

export const CALLBACK_PATH = "/session/oidc/callback";

export const createProviderSignIn = (options: SignInOptions): ProviderSignIn => {
  const { provider, keys, sealer, now, timeout = TIMEOUT } = options;
  const origin = new URL(options.publicUrl).origin;
  const redirectUri = `${origin}${CALLBACK_PATH}`;
  const requests = createProviderRequests({ ...provider, request: options.request, timeout });
  const checkIdToken = createIdTokenCheck({ ...provider, keys, now });
  const identify = createIdentification(provider, requests.userinfo);

  const keptDiscovery = () => (keys.areAvailable ? keys.kept?.discovery : undefined);

  /** Waits for the first discovery document. */
  const endpoints = async (): Promise<Endpoints> => {
    if (!keys.areAvailable) await waitForFetch(keys);
    const discovery = keptDiscovery();
    if (discovery === undefined) throw providerUnreachable("no discovery document");
    const named = endpointsOf(discovery);
    if (named === undefined)
      throw providerUnreachable("no authorization_endpoint or token_endpoint with https in the discovery");
    return named;
  };

  return {
    issuer: provider.issuer,
    begin: async (returnTo) => {
      const { authorization: endpoint } = await endpoints();
      const signIn = newSignIn(returnPathOf(returnTo), now());
      const { clientId, scopes } = provider;
      const location = authorizationUrl({ endpoint, clientId, scopes, redirectUri }, signIn);
      return { location, state: signIn.state, sealed: sealSignIn(sealer, signIn) };
    },
    finish: async (parameters, sealed) => {
      const begun = begunSignIn(
        parameters,
        sealed === undefined ? undefined : openSignIn(sealer, sealed),
        now(),
      );
      const code = codeIn(parameters, provider.issuer);
      const used = await endpoints();
      const tokens = await requests.exchange(used, { code, verifier: begun.verifier, redirectUri });
      const token = await checkIdToken(tokens.idToken, begun.nonce);
      return { operator: await identify(token, tokens, used), returnTo: begun.returnTo };
    },
    endSessionUrl: () => {
      const discovery = provider.endSession ? keptDiscovery() : undefined;
      const endpoint = discovery && endpointsOf(discovery)?.endSession;
      if (endpoint === undefined) return undefined;
      const url = new URL(endpoint);
      url.searchParams.set("client_id", provider.clientId);
      url.searchParams.set("post_logout_redirect_uri", `${origin}/`);
      return url.href;
    },
  };
};

const waitForFetch = async (keys: IssuerKeys): Promise<void> => {
  try {
    await keys.refetch(() => !keys.areAvailable);
  } catch (error) {
    throw providerUnreachable(error);
  }
};

/** A parameter that is repeated has no value (RFC 6749, 3.1). */
const single = (parameters: CallbackParameters, name: string): string | undefined => {
  const [value, ...more] = parameters.getAll(name);
  return more.length === 0 ? value : undefined;
};

/** The sign-in that the answer belongs to. */
const begunSignIn = (parameters: CallbackParameters, begun: SignIn | undefined, now: number): SignIn => {
  const state = single(parameters, "state");
  if (begun === undefined || state === undefined) throw unknownSignIn("no sign-in cookie");
  if (!isSameText(state, begun.state)) throw unknownSignIn("wrong state");
  if (now >= begun.end * 1000) throw unknownSignIn("sign-in expired");
  return begun;
};

const codeIn = (parameters: CallbackParameters, issuer: string): string => {
  // RFC 9207: an answer of another issuer.
  if (parameters.getAll("iss").some((iss) => iss !== issuer)) throw wrongAnswer("wrong iss");
  const [error] = parameters.getAll("error");
  if (error !== undefined) throw refusedByProvider(error);
  const code = single(parameters, "code") ?? "";
  if (code === "") throw wrongAnswer("no code");
  return code;
};

/** The operator of an ID token. Asks userinfo if the token does not say which roles the operator has. */
const createIdentification = (
  provider: ProviderOptions,
  userinfo: (url: string, accessToken: string) => Promise<IdToken["claims"]>,
) => {
  const claimed = createClaimed(provider);
  return async (
    { claims, sub }: IdToken,
    { accessToken }: Tokens,
    { userinfo: url }: Endpoints,
  ): Promise<IdentifiedOperator> => {
    let [role, name] = [claimed.roleOf(claims), claimed.nameOf(sub, claims)];
    if (!claimed.hasRoles(claims) && url !== undefined && accessToken !== undefined) {
      const more = await userinfo(url, accessToken);
      if (more["sub"] !== sub) throw wrongAnswer("userinfo: another sub");
      [role, name] = [claimed.roleOf(more), claimed.nameOf(sub, claims, more)];
    }
    if (role === undefined) throw withoutRole(name, { iss: provider.issuer, sub });
    return { name, role, sub };
  };
};

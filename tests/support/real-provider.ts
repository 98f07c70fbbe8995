/** A real identity provider (npm's oidc-provider) with pages on which every name signs in with any password. */
import { createServer } from "node:http";
import { once } from "node:events";
import { jest } from "@jest/globals";
import { Provider } from "oidc-provider";
import { freePort } from "./free-port.ts";

export const CLIENT = { clientId: "stationgate", clientSecret: "the secret of stationgate: a+b&c/d" };

export interface IdentityProvider {
  readonly issuer: string;
  /** Number of requests so far, by path. */
  readonly requests: ReadonlyMap<string, number>;
  close(): Promise<void>;
}

export interface ProviderOptions {
  /** The URL of the operators' listener. */
  readonly publicUrl: string;
  /** Groups by account. */
  readonly groups: Readonly<Record<string, readonly string[]>>;
  /** The ID token has only `sub`, and all other claims are in userinfo. */
  readonly slimTokens?: boolean;
  readonly port?: number;
  readonly authMethod?: "client_secret_basic" | "client_secret_post";
}

export const startIdentityProvider = async (options: ProviderOptions): Promise<IdentityProvider> => {
  const { publicUrl, groups, slimTokens = false, authMethod = "client_secret_basic" } = options;
  const port = options.port ?? (await freePort());
  const issuer = `http://127.0.0.1:${port}`;
  const requests = new Map<string, number>();
  const provider = quietly(
    () =>
      new Provider(issuer, {
        clients: [
          {
            client_id: CLIENT.clientId,
            client_secret: CLIENT.clientSecret,
            redirect_uris: [`${publicUrl}/session/oidc/callback`],
            post_logout_redirect_uris: [`${publicUrl}/`],
            token_endpoint_auth_method: authMethod,
          },
        ],
        clientAuthMethods: [authMethod],
        claims: { openid: ["sub"], profile: ["preferred_username", "groups"], email: ["email"] },
        conformIdTokenClaims: slimTokens,
        cookies: { keys: ["the key of the cookies"] },
        ttl: { Interaction: 600, Session: 600, Grant: 600, AccessToken: 600, IdToken: 600 },
        findAccount: (_: unknown, sub: string) => ({
          accountId: sub,
          claims: () => ({ sub, preferred_username: `${sub}@example`, groups: groups[sub] ?? [] }),
        }),
      }),
  );
  const answer = provider.callback();
  const server = createServer((request, response) => {
    const path = request.url?.split("?")[0] ?? "";
    requests.set(path, (requests.get(path) ?? 0) + 1);
    answer(request, response);
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  return {
    issuer,
    requests,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await once(server, "close");
    },
  };
};

/** Without the warnings that this provider is not made for production. */
const quietly = <T>(work: () => T): T => {
  const warnings = jest.spyOn(console, "warn").mockImplementation(() => undefined);
  try {
    return work();
  } finally {
    warnings.mockRestore();
  }
};

/**
 * Signs `account` in on the pages of the provider, as a browser does. Returns the URL that the provider sends the browser to.
 * `prompts`: the forms that the provider shows, in their order.
 */
export const signInAtProvider = async (
  location: string,
  account: string,
  prompts: readonly ("login" | "consent")[] = ["login", "consent"],
): Promise<URL> => {
  const { origin } = new URL(location);
  const cookies = new Map<string, string>();
  const open = async (url: string, form?: Record<string, string>): Promise<string> => {
    const cookie = [...cookies].map((pair) => pair.join("=")).join("; ");
    const sent = form && { method: "POST", body: new URLSearchParams(form) };
    const answer = await fetch(url, { redirect: "manual", headers: { cookie }, ...sent });
    await answer.body?.cancel();
    keepCookies(cookies, answer.headers.getSetCookie());
    const next = new URL(answer.headers.get("location") ?? url, url).href;
    return next !== url && next.startsWith(origin) ? open(next) : next;
  };
  let url = await open(location);
  for (const prompt of prompts) url = await open(url, { prompt, login: account, password: "any" });
  return new URL(url);
};

const keepCookies = (cookies: Map<string, string>, set: readonly string[]): void => {
  for (const [name = "", value = ""] of set.map((line) => line.split(";", 1)[0]?.split("=") ?? [])) {
    if (value === "") cookies.delete(name);
    else cookies.set(name, value);
  }
};

/** Fetches tokens from a token endpoint: the client credentials of OAuth 2.0 (RFC 6749, section 4.4). */
import { SignInFailure } from "./sasl.ts";
import { checkedToken, type FetchedToken } from "./token-source.ts";

/** Sends a form and resolves to the answer. Rejects if no answer comes. */
export type PostForm = (
  request: {
    readonly url: string;
    readonly headers: Readonly<Record<string, string>>;
    readonly body: string;
  },
  signal: AbortSignal,
) => Promise<{ readonly status: number; readonly value: unknown }>;

export interface TokenEndpoint {
  readonly url: string;
  readonly clientId: string;
  readonly clientSecret: string;
  readonly scope: string | undefined;
  readonly audience: string | undefined;
}

interface TokenEndpointOptions {
  readonly endpoint: TokenEndpoint;
  readonly post: PostForm;
  /** Milliseconds for one request. */
  readonly timeout: number;
}

/** Seconds. RFC 6749 lets an endpoint leave `expires_in` out. */
const DEFAULT_LIFETIME_S = 300;
/** Seconds. Node's timers and Kafka's sessions work with it. */
const MAX_LIFETIME_S = 365 * 86_400;

/** As in a body of `application/x-www-form-urlencoded`. */
const formEncoded = (text: string): string => new URLSearchParams({ "": text }).toString().slice(1);

const requestOf = ({ url, clientId, clientSecret, scope, audience }: TokenEndpoint) => {
  const pair = `${formEncoded(clientId)}:${formEncoded(clientSecret)}`;
  const form = new URLSearchParams({ grant_type: "client_credentials" });
  if (scope !== undefined) form.set("scope", scope);
  if (audience !== undefined) form.set("audience", audience);
  return {
    url,
    headers: {
      "content-type": "application/x-www-form-urlencoded",
      authorization: `Basic ${Buffer.from(pair).toString("base64")}`,
    },
    body: form.toString(),
  };
};

const memberOf = (value: unknown, name: string): unknown =>
  typeof value === "object" && value !== null ? (value as Record<string, unknown>)[name] : undefined;

/** The error code of RFC 6749, section 5.2. A longer text could contain a secret. */
const errorIn = (value: unknown): string => {
  const error = memberOf(value, "error");
  return typeof error === "string" && /^[\w-]{1,64}$/.test(error) ? ` ${error}` : "";
};

const lifetimeIn = (value: unknown): number => {
  const given = Number(memberOf(value, "expires_in") ?? DEFAULT_LIFETIME_S);
  return given > 0 ? Math.min(given, MAX_LIFETIME_S) * 1000 : 0;
};

/** Each call sends one request. Rejects with SignInFailure, whose text contains neither a secret nor the answer. */
export const createTokenFetch = ({ endpoint, post, timeout }: TokenEndpointOptions) => {
  const name = `the token endpoint ${endpoint.url}`;
  const request = requestOf(endpoint);
  return async (): Promise<FetchedToken> => {
    const { status, value } = await post(request, AbortSignal.timeout(timeout)).catch((error: unknown) => {
      throw new SignInFailure(
        `${name} gives no answer: ${error instanceof Error ? error.message : "unknown"}`,
      );
    });
    if (status !== 200) throw new SignInFailure(`${name} answers ${status}${errorIn(value)}`);
    const token = checkedToken(memberOf(value, "access_token"), `the answer of ${name}`);
    const lifetime = lifetimeIn(value);
    if (lifetime === 0) throw new SignInFailure(`${name} answers a token that has expired`);
    return { token, lifetime };
  };
};

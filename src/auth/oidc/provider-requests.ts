/** The gateway's own requests to the identity provider: the exchange of a code, and userinfo. */
import { isJsonObject, type JsonObject } from "../issuers/jws.ts";
import { FetchFailure, type JsonAnswer, type JsonRequest, type RequestJson } from "../json-request.ts";
import { providerUnreachable, shownError, wrongAnswer } from "./failures.ts";
import type { Endpoints, ProviderOptions } from "./provider.ts";

export interface Tokens {
  readonly idToken: string;
  /** undefined: the provider gave no bearer token. */
  readonly accessToken: string | undefined;
}

interface Exchange {
  readonly code: string;
  readonly verifier: string;
  readonly redirectUri: string;
}

/** Both fail with SIGN_IN_FAILED: with 503 if the provider is unreachable, and with 401 if its answer can't be used. */
export interface ProviderRequests {
  readonly exchange: (endpoints: Endpoints, exchange: Exchange) => Promise<Tokens>;
  readonly userinfo: (url: string, accessToken: string) => Promise<JsonObject>;
}

interface RequestsOptions extends Pick<ProviderOptions, "clientId" | "clientSecret"> {
  readonly request: RequestJson;
  /** Milliseconds for one request. */
  readonly timeout: number;
}

export const createProviderRequests = (options: RequestsOptions): ProviderRequests => {
  const { request, timeout } = options;

  /** The object of an answer with status 200. `name` is for the log. */
  const ask = async (name: string, asked: JsonRequest): Promise<JsonObject> => {
    const answer = await request(asked, AbortSignal.timeout(timeout)).catch((error: unknown) => {
      throw error instanceof FetchFailure
        ? wrongAnswer(`the ${name} answered too much`)
        : providerUnreachable(error);
    });
    const { status, value } = answer;
    if (status === 429 || status >= 500) throw providerUnreachable(`the ${name} answered ${status}`);
    if (status !== 200) throw wrongAnswer(`the ${name} answered ${summaryOf(answer)}`);
    if (!isJsonObject(value)) throw wrongAnswer(`the ${name} did not answer a JSON object`);
    return value;
  };

  return {
    exchange: async (endpoints, { code, verifier, redirectUri }) => {
      const form = {
        grant_type: "authorization_code",
        code,
        redirect_uri: redirectUri,
        code_verifier: verifier,
      };
      const client = clientOf(endpoints, options);
      const answer = await ask("token endpoint", {
        url: endpoints.token,
        method: "POST",
        headers: { "content-type": "application/x-www-form-urlencoded", ...client.headers },
        body: new URLSearchParams({ ...form, ...client.form }).toString(),
      });
      const { id_token: idToken, access_token: accessToken, token_type: type } = answer;
      if (typeof idToken !== "string") throw wrongAnswer("the token endpoint answered no ID token");
      const isBearer =
        typeof accessToken === "string" && /^[!-~]+$/.test(accessToken) && /^bearer$/i.test(String(type));
      return { idToken, accessToken: isBearer ? accessToken : undefined };
    },
    userinfo: (url, accessToken) =>
      ask("userinfo endpoint", { url, headers: { authorization: `Bearer ${accessToken}` } }),
  };
};

/** The status, and the error code if it has the form of one: `400 invalid_grant`. */
const summaryOf = ({ status, value }: JsonAnswer): string => {
  const error = isJsonObject(value) ? shownError(value["error"]) : undefined;
  return error === undefined ? String(status) : `${status} ${error}`;
};

interface ClientParts {
  readonly headers: Readonly<Record<string, string>>;
  readonly form: Readonly<Record<string, string>>;
}

/** How the gateway names itself to the token endpoint (RFC 6749, 2.3.1). */
const clientOf = (
  { takesSecretInBody }: Endpoints,
  { clientId, clientSecret }: Pick<ProviderOptions, "clientId" | "clientSecret">,
): ClientParts => {
  if (clientSecret === undefined) return { headers: {}, form: { client_id: clientId } };
  if (takesSecretInBody) return { headers: {}, form: { client_id: clientId, client_secret: clientSecret } };
  const pair = `${formEncoded(clientId)}:${formEncoded(clientSecret)}`;
  return { headers: { authorization: `Basic ${Buffer.from(pair).toString("base64")}` }, form: {} };
};

/** As in a body of `application/x-www-form-urlencoded`. */
const formEncoded = (text: string): string => new URLSearchParams({ "": text }).toString().slice(1);

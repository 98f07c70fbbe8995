/** The identity provider of the operators: its settings, and the endpoints that its discovery document names. */
import { isProtectedUrl } from "../../lib/loopback.ts";
import type { JsonObject } from "../issuers/jws.ts";
import type { Role } from "../operators/operator.ts";

/** The settings `admin.oidc`. Durations are in milliseconds. */
export interface ProviderOptions {
  /** The URL of the provider, as the `iss` of its tokens has it. */
  readonly issuer: string;
  readonly clientId: string;
  /** undefined: the gateway is a public client. */
  readonly clientSecret?: string | undefined;
  readonly scopes: readonly string[];
  readonly clockSkew: number;
  readonly endSession: boolean;
  /** Claims, as `claimReader` takes them. */
  readonly nameClaim: string;
  readonly rolesClaim: string;
  readonly roles: Readonly<Record<Role, readonly string[]>>;
  /** undefined: JWTs of the provider are no credential. */
  readonly audience?: string | undefined;
}

export interface Endpoints {
  readonly authorization: string;
  readonly token: string;
  readonly userinfo: string | undefined;
  readonly endSession: string | undefined;
  /** The token endpoint takes the client's secret from the body instead of the header. */
  readonly takesSecretInBody: boolean;
}

/** Signature algorithms of ID tokens, and of JWTs as a credential. */
export const ALGORITHMS: readonly string[] = ["RS256", "ES256"];
/** Characters. A longer token is refused. */
export const MAX_TOKEN_SIZE = 12_288;

/** undefined: the document does not name the authorization and the token endpoint, or one of them is not protected by TLS. */
export const endpointsOf = (discovery: JsonObject): Endpoints | undefined => {
  const urlOf = (name: string): string | undefined => {
    const url = discovery[name];
    return typeof url === "string" && isProtectedUrl(url) ? url : undefined;
  };
  const authorization = urlOf("authorization_endpoint");
  const token = urlOf("token_endpoint");
  if (authorization === undefined || token === undefined) return undefined;
  return {
    authorization,
    token,
    userinfo: urlOf("userinfo_endpoint"),
    endSession: urlOf("end_session_endpoint"),
    takesSecretInBody: takesSecretInBody(discovery["token_endpoint_auth_methods_supported"]),
  };
};

/** `client_secret_basic` is the default (OpenID Connect Discovery 1.0, 3), and is used wherever it is supported. */
const takesSecretInBody = (methods: unknown): boolean =>
  Array.isArray(methods) &&
  !methods.includes("client_secret_basic") &&
  methods.includes("client_secret_post");

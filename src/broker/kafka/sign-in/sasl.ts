/** The messages of SASL that the gateway builds itself: OAUTHBEARER (RFC 7628). Both client libraries send them. */

/** The gateway could not sign in to Kafka, or has no token for it. The message says why and contains no secret. */
export class SignInFailure extends Error {
  override readonly name = "SignInFailure";
}

export interface PasswordSignIn {
  readonly mechanism: "plain" | "scram-sha-256" | "scram-sha-512";
  readonly username: string;
  readonly password: string;
}

export interface TokenSignIn {
  readonly mechanism: "oauthbearer";
  /** Resolves to a token that is valid now. Rejects with SignInFailure if the gateway has no such token. */
  readonly token: () => Promise<string>;
}

export type SaslOptions = PasswordSignIn | TokenSignIn;

/** The token for the next sign-in. undefined: the mechanism has none. Call it before the handshake: it can fail or take time. */
export const tokenOf = async (sasl: SaslOptions | undefined): Promise<string | undefined> =>
  sasl?.mechanism === "oauthbearer" ? sasl.token() : undefined;

/** The name of the mechanism in Kafka's protocol. */
export const mechanismOf = ({ mechanism }: SaslOptions): Uppercase<SaslOptions["mechanism"]> =>
  mechanism.toUpperCase() as Uppercase<SaslOptions["mechanism"]>;

/** API keys of Kafka's protocol: SaslHandshake and SaslAuthenticate. */
const SIGN_IN_REQUESTS: ReadonlySet<number> = new Set([17, 36]);

export const isSignInRequest = (apiKey: number): boolean => SIGN_IN_REQUESTS.has(apiKey);

/** The part of a session's lifetime after which the gateway signs in again. */
export const RENEWED_AFTER = 0.8;

interface Answer {
  readonly authBytes: Uint8Array;
}

/**
 * Signs in with the token; `exchange` sends one SaslAuthenticate request. Kafka answers a wrong token without an error code
 * but with a JSON text, and waits for one more byte before it notes the failure. Neither library knows this.
 */
export const exchangeToken = async <T extends Answer>(
  token: string,
  exchange: (bytes: Buffer) => Promise<T>,
): Promise<T> => {
  const answer = await exchange(Buffer.from(`n,,\x01auth=Bearer ${token}\x01\x01`));
  if (answer.authBytes.length === 0) return answer;
  exchange(Buffer.from([1])).catch(() => undefined);
  throw new SignInFailure(`Kafka refused the token (${refusalIn(answer.authBytes)})`);
};

/** The status in Kafka's JSON text, such as invalid_token. */
const refusalIn = (bytes: Uint8Array): string =>
  /"status"\s*:\s*"([\w.-]{1,64})"/.exec(Buffer.from(bytes).toString("latin1"))?.[1] ??
  "its log has the reason";

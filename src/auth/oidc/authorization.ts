/** The beginning of a sign-in: the authorization request (RFC 6749, RFC 7636), and what the callback needs of it. */
import { createHash, randomBytes } from "node:crypto";
import { z } from "zod";
import type { Sealer } from "../operators/sealer.ts";

/** A sign-in that a browser has begun. */
export interface SignIn {
  readonly state: string;
  readonly nonce: string;
  /** The `code_verifier` of PKCE. */
  readonly verifier: string;
  /** Path of the console that the browser goes to after the sign-in. */
  readonly returnTo: string;
  /** Seconds since the epoch. */
  readonly end: number;
}

/** Seconds. */
export const SIGN_IN_LIFETIME = 600;

/** Random bytes: as many as a hash of SHA-256 has (RFC 7636, 4.1), and half as many for values that are only compared. */
const VERIFIER_BYTES = 32;
const RANDOM_BYTES = 16;

/** `now`: milliseconds since the epoch. */
export const newSignIn = (returnTo: string, now: number): SignIn => ({
  state: randomBytes(RANDOM_BYTES).toString("base64url"),
  nonce: randomBytes(RANDOM_BYTES).toString("base64url"),
  verifier: randomBytes(VERIFIER_BYTES).toString("base64url"),
  returnTo,
  end: Math.floor(now / 1000) + SIGN_IN_LIFETIME,
});

const MAX_PATH = 512;

/** A path of this origin. Browsers read `//` and `/\` as the beginning of a host, and remove control characters before they look. */
const OWN_PATH = /^\/(?![/\\])[^\\\p{Cc}\p{Cs}]*$/u;

/** The path to go to after the sign-in: `given` if it is a path of this origin, else `/`. */
export const returnPathOf = (given: string | null): string =>
  given !== null && given.length <= MAX_PATH && OWN_PATH.test(given) ? given : "/";

/** State, nonce, verifier, path, end. */
const sealedSchema = z.tuple([z.string(), z.string(), z.string(), z.string(), z.number()]);

/** Characters, so that the whole cookie stays under 1,500. */
const MAX_SEALED = 1300;

/** A text of at most 1,300 characters. A path that does not fit is left out. */
export const sealSignIn = ({ seal }: Sealer, signIn: SignIn): string => {
  const { state, nonce, verifier, returnTo, end } = signIn;
  const sealed = seal([state, nonce, verifier, returnTo, end]);
  return sealed.length <= MAX_SEALED ? sealed : seal([state, nonce, verifier, "/", end]);
};

/** undefined: the text was not sealed by a gateway with the same secret and provider. */
export const openSignIn = ({ open }: Sealer, sealed: string): SignIn | undefined => {
  const { success, data } = sealedSchema.safeParse(open(sealed));
  if (!success) return undefined;
  const [state, nonce, verifier, returnTo, end] = data;
  return { state, nonce, verifier, returnTo, end };
};

interface RequestOptions {
  readonly endpoint: string;
  readonly clientId: string;
  readonly scopes: readonly string[];
  readonly redirectUri: string;
}

/** The URL that the browser goes to. */
export const authorizationUrl = (
  { endpoint, clientId, scopes, redirectUri }: RequestOptions,
  { state, nonce, verifier }: SignIn,
): string => {
  const url = new URL(endpoint);
  const parameters = {
    response_type: "code",
    client_id: clientId,
    redirect_uri: redirectUri,
    scope: scopes.join(" "),
    state,
    nonce,
    code_challenge: createHash("sha256").update(verifier).digest("base64url"),
    code_challenge_method: "S256",
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
};

/** The failures of a sign-in with the identity provider. The cause of a refusal is a fixed text for the log, without a claim. */
import { GatewayError } from "../../errors.ts";
import { refusalOf, type Subject } from "../operators/operator.ts";

/** There is no sign-in of this browser that the answer belongs to. */
export const unknownSignIn = (cause: string): GatewayError =>
  new GatewayError("SIGN_IN_FAILED", {
    status: 400,
    message: "This sign-in has expired or was begun in another browser",
    cause,
  });

/** A check of the identity provider's answer has failed. */
export const wrongAnswer = (cause: string): GatewayError =>
  new GatewayError("SIGN_IN_FAILED", { headers: { "WWW-Authenticate": "Bearer" }, cause });

/** The forms of the `error` parameter that a page may show. */
const SHOWN = /^[a-z_]{1,64}$/;

/** `error` if it has the form of an error code, else a text that says nothing. */
export const shownError = (error: unknown): string | undefined =>
  typeof error === "string" && SHOWN.test(error) ? error : undefined;

export const refusedByProvider = (error: string): GatewayError => {
  const shown = shownError(error);
  return new GatewayError("SIGN_IN_FAILED", {
    status: 403,
    message: `The identity provider refused${shown === undefined ? "" : `: ${shown}`}`,
    cause: "refused by the identity provider",
  });
};

export const withoutRole = (name: string, subject: Subject): GatewayError =>
  refusalOf(
    { name, via: "oidc", subject },
    new GatewayError("SIGN_IN_FAILED", {
      status: 403,
      message: `Signed in as ${name}, but without a role here`,
      cause: "no role",
    }),
  );

/** `cause`: the error of the request, or a fixed text. */
export const providerUnreachable = (cause: unknown): GatewayError =>
  new GatewayError("SIGN_IN_FAILED", {
    status: 503,
    message: "The identity provider is unreachable",
    retryAfter: 5,
    cause,
  });

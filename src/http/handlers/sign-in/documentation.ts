/** The routes of the sign-in with the identity provider. */
import { z } from "zod";
import type { Documentation } from "../../documentation.ts";

const TAG = "Console";

const page = { "text/html": z.string() };

const RETRY = { "Retry-After": "Seconds to wait before the next attempt." };

const unreachable = {
  description: "`SIGN_IN_FAILED`: The identity provider is unreachable.",
  content: page,
  headers: RETRY,
};

export const beginSignIn: Documentation = {
  id: "beginOperatorSignIn",
  tag: TAG,
  summary: "Sign an operator in with the identity provider",
  description:
    "Redirects to the identity provider of `admin.oidc`. If the request's host is not that of `admin.publicUrl`, redirects to this path on " +
    "`admin.publicUrl`.",
  query: {
    return: {
      description:
        "Path of the console that the browser goes to after the sign-in. It begins with exactly one `/`. Any other text counts as `/`.",
      schema: z.string().max(512).optional(),
    },
  },
  answers: {
    302: {
      description: "Redirects to the identity provider.",
      headers: {
        Location: "The authorization request.",
        "Set-Cookie": "The sign-in of this tab, valid for ten minutes.",
      },
    },
    503: unreachable,
  },
  errors: ["ROUTE_UNKNOWN"],
};

const parameter = (description: string) => ({ description, schema: z.string().optional() });

export const finishSignIn: Documentation = {
  id: "finishOperatorSignIn",
  tag: TAG,
  summary: "Receive the answer of the identity provider",
  description:
    "The redirect URI of the gateway at the identity provider. A browser gets the failures as a page, a program as a problem document.",
  query: {
    state: parameter("The sign-in that the answer belongs to."),
    code: parameter("The code that the gateway exchanges for an ID token."),
    iss: parameter("The issuer (RFC 9207)."),
    error: parameter("The reason why the identity provider refused."),
  },
  answers: {
    200: {
      description: "A page that goes on to the console.",
      content: page,
      headers: { "Set-Cookie": "The session cookie. The cookie of the sign-in is deleted." },
    },
    400: {
      description: "`SIGN_IN_FAILED`: The sign-in has expired or was begun in another browser.",
      content: page,
    },
    403: {
      description: "`SIGN_IN_FAILED`: The identity provider refused, or the operator has no role.",
      content: page,
    },
    503: unreachable,
  },
  errors: ["SIGN_IN_FAILED", "ROUTE_UNKNOWN"],
};

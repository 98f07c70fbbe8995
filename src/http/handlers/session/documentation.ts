/** The routes of an operator's session. */
import { z } from "zod";
import { ROLES } from "../../../auth/operators/operator.ts";
import { type Answer, type Documentation, json } from "../../documentation.ts";

const TAG = "Console";

const token = z.object({ token: z.string() }).meta({ id: "OperatorSignIn" });

const session = z
  .object({
    name: z.string(),
    role: z.enum(ROLES),
    via: z.enum(["token", "basic", "bearer", "oidc", "certificate"]).meta({
      description:
        "The credential: a bearer token or a session of one, Basic, a JWT of the identity provider, a session that it made, or a client certificate.",
    }),
    expires: z.iso.datetime().nullable().meta({ description: "End of the credential; null: it has no end." }),
  })
  .meta({ id: "OperatorSession" });

const seeOther: Answer = {
  description: "Redirects to the console.",
  headers: { Location: "Path of the console." },
};

export const showSession: Documentation = {
  id: "showSession",
  tag: TAG,
  summary: "Show the operator of this credential, and the operator's role",
  answers: { 200: { description: "The operator.", content: json(session) } },
  errors: [],
};

export const signIn: Documentation = {
  id: "signInOperator",
  tag: TAG,
  summary: "Sign an operator in with an operators' token",
  description:
    "The session cookie is a credential for `admin.sessionTtl`. With the cookie alone, a request that changes something " +
    "must come from a page of the console. The session ends when its token is removed, changes, expires or gets another role.",
  body: {
    content: { "application/x-www-form-urlencoded": token, "application/json": token },
  },
  answers: { 303: { ...seeOther, headers: { ...seeOther.headers, "Set-Cookie": "The session cookie." } } },
  errors: ["UNAUTHORIZED", "FIELDS_INVALID", "LOGIN_THROTTLED", "OVERLOADED"],
};

export const signOut: Documentation = {
  id: "signOutOperator",
  tag: TAG,
  summary: "Sign out",
  answers: {
    200: {
      description:
        "A page that sends the browser to the identity provider. Only with `admin.oidc.endSession`, if the session began at the identity provider.",
      content: { "text/html": z.string() },
    },
    303: seeOther,
  },
  errors: [],
};

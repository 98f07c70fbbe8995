/** The routes of the console itself. Its data comes from the other routes for operators. */
import { z } from "zod";
import type { Answer, Documentation } from "../../documentation.ts";

const TAG = "Console";

const token = z.object({ token: z.string() }).meta({ id: "OperatorSignIn" });

const seeOther: Answer = {
  description: "Redirects to the console.",
  headers: { Location: "Path of the console." },
};

/** The documentation of `/` with the page that browsers get. */
export const withPage = (documentation: Documentation): Documentation => {
  const answer = documentation.answers[200];
  return {
    ...documentation,
    description: "A client that prefers `text/html` gets the console, or the sign-in page.",
    answers: {
      ...documentation.answers,
      ...(answer && { 200: { ...answer, content: { ...answer.content, "text/html": z.string() } } }),
    },
  };
};

export const signIn: Documentation = {
  id: "signInOperator",
  tag: TAG,
  summary: "Sign an operator in with the operators' token",
  description:
    "The session cookie is a credential for eight hours. If a request with this cookie changes something, the gateway accepts " +
    "it only from pages of the console.",
  body: {
    content: { "application/x-www-form-urlencoded": token, "application/json": token },
  },
  answers: { 303: { ...seeOther, headers: { ...seeOther.headers, "Set-Cookie": "The session cookie." } } },
  errors: ["UNAUTHORIZED", "FIELDS_INVALID", "LOGIN_THROTTLED"],
};

export const signOut: Documentation = {
  id: "signOutOperator",
  tag: TAG,
  summary: "Sign out",
  answers: { 303: seeOther },
  errors: [],
};

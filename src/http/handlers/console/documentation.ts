/** The console's own routes; what it shows comes from the routes of everybody else. */
import { z } from "zod";
import type { Answer, Documentation } from "../../documentation.ts";

const TAG = "Console";

const token = z.object({ token: z.string() }).meta({ id: "OperatorSignIn" });

const seeOther: Answer = { description: "To the console.", headers: { Location: "The console." } };

/** Of `/`, which is a page for browsers. */
export const withPage = (documentation: Documentation): Documentation => {
  const answer = documentation.answers[200];
  return {
    ...documentation,
    description: "A client that prefers `text/html` gets the console, or a page to sign in.",
    answers: {
      ...documentation.answers,
      ...(answer && { 200: { ...answer, content: { ...answer.content, "text/html": z.string() } } }),
    },
  };
};

export const signIn: Documentation = {
  id: "signInOperator",
  tag: TAG,
  summary: "A session for the operators' token",
  description:
    "The cookie is an operator's credential for eight hours. With it, calls that change something are taken from the console's own pages only.",
  body: {
    content: { "application/x-www-form-urlencoded": token, "application/json": token },
  },
  answers: { 303: { ...seeOther, headers: { ...seeOther.headers, "Set-Cookie": "The session." } } },
  errors: ["UNAUTHORIZED", "FIELDS_INVALID", "LOGIN_THROTTLED"],
};

export const signOut: Documentation = {
  id: "signOutOperator",
  tag: TAG,
  summary: "Forget the session",
  answers: { 303: seeOther },
  errors: [],
};

/** The routes of the console itself. Its data comes from the other routes for operators. */
import { z } from "zod";
import type { Documentation } from "../../documentation.ts";

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

import { z } from "zod";
import { json, type Documentation } from "../documentation.ts";

export const frontPage: Documentation = {
  id: "showFrontPage",
  tag: "Operations",
  summary: "What this is",
  description: "A small page where the client's `Accept` prefers HTML, as a browser's does; else JSON.",
  answers: {
    200: {
      description: "The name, the version, and the paths of the documentation and of the health probe.",
      content: {
        ...json(
          z.object({
            name: z.literal("stationgate"),
            version: z.string(),
            docs: z.string(),
            openapi: z.string(),
            health: z.string(),
          }),
        ),
        "text/html": z.string(),
      },
    },
  },
  errors: [],
};

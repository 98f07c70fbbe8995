/** What browsers load. */
import { z } from "zod";
import type { Documentation } from "../documentation.ts";

export const browserSdk: Documentation = {
  id: "browserSdk",
  tag: "Browsers",
  summary: "The browser SDK for a script tag; it sets `Stationgate`",
  answers: {
    200: { description: "The script.", content: { "text/javascript": z.string() } },
    304: { description: "The one of If-None-Match is still the same." },
  },
  errors: [],
};

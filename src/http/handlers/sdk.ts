/** `GET /sdk/stationgate.js`: the browser SDK for a script tag. */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { Documentation } from "../documentation.ts";
import { sendText } from "../respond.ts";
import type { OpenRoute } from "../routes.ts";

const browserSdk: Documentation = {
  id: "browserSdk",
  tag: "Browsers",
  summary: "Get the browser SDK for a script tag; it defines the global `Stationgate`",
  answers: {
    200: { description: "The script.", content: { "text/javascript": z.string() } },
    304: { description: "The version in `If-None-Match` is current." },
  },
  errors: [],
};

/** Browsers ask again after an hour; the answer is usually 304. */
const CACHE_CONTROL = "public, max-age=3600";

export const sdkRoute = (script: string): OpenRoute => {
  const bytes = Buffer.from(script);
  const etag = `"${createHash("sha256").update(script).digest("base64url")}"`;
  return {
    method: "GET",
    path: "/sdk/stationgate.js",
    auth: "none",
    family: "problem",
    quiet: true,
    documentation: browserSdk,
    handler: ({ request, response }) => {
      response.setHeader("Cache-Control", CACHE_CONTROL);
      response.setHeader("ETag", etag);
      if (request.headers["if-none-match"]?.includes(etag)) {
        response.statusCode = 304;
        response.end();
        return;
      }
      sendText(response, 200, "text/javascript; charset=utf-8", bytes);
    },
  };
};

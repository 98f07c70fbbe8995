/** `GET /sdk/…`: the scripts of the browser SDK for a script tag. */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { Documentation } from "../documentation.ts";
import { sendText } from "../respond.ts";
import type { OpenRoute } from "../routes.ts";

const documented = (id: string, purpose: string, name: string): Documentation => ({
  id,
  tag: "Browsers",
  summary: `Get the browser SDK that ${purpose}, for a script tag; it defines \`Stationgate.${name}\``,
  answers: {
    200: { description: "The script.", content: { "text/javascript": z.string() } },
    304: { description: "The version in `If-None-Match` is current." },
  },
  errors: [],
});

export type SdkScript = "stationgate.js" | "subscribe.js";

const DOCUMENTATION: Readonly<Record<SdkScript, Documentation>> = {
  "stationgate.js": documented("browserSdk", "sends events", "createProducer"),
  "subscribe.js": documented("browserSubscribe", "reads live events", "subscribe"),
};

/** Browsers ask again after an hour; the answer is usually 304. */
const CACHE_CONTROL = "public, max-age=3600";

export const sdkRoute = (name: SdkScript, script: string): OpenRoute => {
  const bytes = Buffer.from(script);
  const etag = `"${createHash("sha256").update(script).digest("base64url")}"`;
  return {
    method: "GET",
    path: `/sdk/${name}`,
    auth: "none",
    family: "problem",
    quiet: true,
    documentation: DOCUMENTATION[name],
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

/** `GET /sdk/stationgate.js`: the browser SDK for a script tag, from the gateway that it sends to. */
import { createHash } from "node:crypto";
import { browserSdk } from "../documentation/sdk.ts";
import { sendText } from "../respond.ts";
import type { OpenRoute } from "../routes.ts";

/** Pages ask again after an hour, and mostly hear that it is the same. */
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

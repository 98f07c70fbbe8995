/** `GET /` for clients: the version, and where the documentation is. A page for browsers, else JSON. */
import { createHash } from "node:crypto";
import { z } from "zod";
import { type Documentation, json } from "../documentation.ts";
import { sendText, wantsPage } from "../respond.ts";
import type { OpenRoute } from "../routes.ts";

const frontPage: Documentation = {
  id: "showFrontPage",
  tag: "Operations",
  summary: "Show the version and where the documentation is",
  description:
    "A client that prefers `text/html`, such as a browser, gets an HTML page. Other clients get JSON.",
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

const STYLE = `
:root { color-scheme: light dark; }
body { font: 1rem/1.5 system-ui, sans-serif; max-width: 36rem; margin: 4rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0; }
p { margin: 0.25rem 0 1.5rem; }
dt { font-weight: 600; }
dd { margin: 0 0 0.75rem; }
`;

const POLICY = `default-src 'none'; style-src 'sha256-${createHash("sha256").update(STYLE).digest("base64")}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`;

const page = (version: string): string => `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Stationgate</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>Stationgate</h1>
<p>An HTTP gateway to Kafka, version ${version}.</p>
<dl>
<dt><a href="/docs">Documentation</a></dt><dd>All routes of this gateway, with their answers and errors.</dd>
<dt><a href="/openapi.json">OpenAPI document</a></dt><dd>The same documentation for programs.</dd>
<dt><a href="/healthz">Health</a></dt><dd>Answers while the process is alive.</dd>
</dl>
</main>
</body>
</html>
`;

/** The page and the JSON are built once. */
export const frontPageRoute = (version: string): OpenRoute => {
  const html = Buffer.from(page(version));
  const links = { docs: "/docs", openapi: "/openapi.json", health: "/healthz" };
  const json = Buffer.from(JSON.stringify({ name: "stationgate", version, ...links }));
  return {
    method: "GET",
    path: "/",
    auth: "none",
    family: "problem",
    quiet: true,
    documentation: frontPage,
    handler: ({ request, response }) => {
      response.vary("Accept");
      if (!wantsPage(request)) {
        sendText(response, 200, "application/json", json);
        return;
      }
      response.setHeader("Content-Security-Policy", POLICY);
      sendText(response, 200, "text/html; charset=utf-8", html);
    },
  };
};

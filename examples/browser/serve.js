/**
 * The backend of an application: it serves the page, and it alone knows the connection token. The page gets an access
 * token that may write one station and read its live events, from one origin, for five minutes.
 */
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import path from "node:path";

const gateway = process.env.GATEWAY ?? "http://127.0.0.1:4444";
const connectionToken =
  process.env.CONNECTION_TOKEN ?? JSON.parse(readFileSync("data/identity.json", "utf8")).connectionToken;

const page = readFileSync(path.join(import.meta.dirname, "index.html"), "utf8").replaceAll(
  "GATEWAY",
  gateway,
);

const narrowToken = async (origin) => {
  const answer = await fetch(`${gateway}/auth/authenticate`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      username: "root",
      connection_token: connectionToken,
      token_expiry_in_minutes: 5,
      refresh: false,
      scope: { stations: ["clicks"], actions: ["produce", "stream"], origins: [origin] },
    }),
  });
  return (await answer.json()).jwt;
};

const server = createServer(async (request, response) => {
  if (request.url !== "/token") return response.setHeader("content-type", "text/html").end(page);
  // A real application asks here who its user is.
  response.end(await narrowToken(`http://${request.headers.host}`));
});

server.listen(Number(process.env.PORT ?? 8080), "127.0.0.1", () => {
  process.stdout.write(`http://127.0.0.1:${server.address().port}/\n`);
});

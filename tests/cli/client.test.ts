import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { z } from "zod";
import { createClient, demand, parsedAnswer, requireGateway } from "../../src/cli/client.ts";

interface Scripted {
  readonly url: string;
  readonly calls: string[];
}

let server: Server;

const serve = async (script: (request: IncomingMessage, calls: readonly string[]) => [number, object]) => {
  const scripted: { url: string; calls: string[] } = { url: "", calls: [] };
  server = createServer((request, response) => {
    const { authorization, "x-api-key": key } = request.headers;
    scripted.calls.push(`${request.url ?? ""} ${String(authorization ?? key)}`);
    request.resume();
    const [status, body] = script(request, scripted.calls);
    response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  scripted.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return scripted satisfies Scripted;
};

afterEach(async () => {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

const CALL = { method: "GET", path: "/x" } as const;
const ACCOUNT = { kind: "account", username: "u", password: "p" } as const;

it("signs an account in once, and again when its token has expired", async () => {
  let signedIn = 0;
  const { url, calls } = await serve(({ url: path, headers }) => {
    if (path === "/auth/authenticate") return [200, { jwt: `token-${++signedIn}`, expires_in: 1 }];
    const isOld = headers.authorization === "Bearer token-1" && calls.length > 3;
    return isOld ? [401, { message: "Unauthorized" }] : [200, {}];
  });
  const client = createClient({ url, credential: ACCOUNT });
  for (let i = 0; i < 3; i++) expect((await client.call(CALL)).status).toBe(200);
  expect(calls).toEqual([
    "/auth/authenticate undefined",
    "/x Bearer token-1",
    "/x Bearer token-1",
    "/x Bearer token-1",
    "/auth/authenticate undefined",
    "/x Bearer token-2",
  ]);
});

it.each([
  [{ kind: "bearer", token: "t" }, "/x Bearer t"],
  [{ kind: "apiKey", key: "k" }, "/x k"],
] as const)("sends %j once, and does not repeat a refused call", async (credential, call) => {
  const { url, calls } = await serve(() => [401, { message: "Unauthorized" }]);
  await expect(demand(createClient({ url, credential }), CALL)).rejects.toMatchObject({
    exit: "forbidden",
    message: "Unauthorized (401)",
  });
  expect(calls).toEqual([call]);
});

it.each([
  [400, "failed"],
  [403, "forbidden"],
  [404, "failed"],
  [302, "failed"],
  [503, "unreachable"],
])("maps status %s to the exit code of %s", async (status, exit) => {
  const { url } = await serve(() => [status, { error: "words" }]);
  const client = createClient({ url, credential: { kind: "bearer", token: "t" } });
  await expect(demand(client, CALL)).rejects.toMatchObject({ exit, message: `words (${status})` });
});

it.each([200, 302, 400, 403, 404])("treats an HTML page with status %s as unreachable", async (status) => {
  const { url } = await serve(() => [status, ["<html>"]]);
  const client = createClient({ url, credential: { kind: "bearer", token: "t" } });
  const asked = demand(client, CALL).then((answer) => parsedAnswer(z.object({}), answer));
  await expect(asked).rejects.toMatchObject({ exit: "unreachable" });
});

it.each([200, 302])("requireGateway refuses an HTML page with status %s", async (status) => {
  const { url } = await serve(() => [status, ["<html>"]]);
  const client = createClient({ url, credential: { kind: "bearer", token: "t" } });
  await expect(requireGateway(client)).rejects.toMatchObject({ exit: "unreachable" });
});

it("reports the reason of a failed connection", async () => {
  const { url } = await serve(() => [200, {}]);
  await new Promise((resolve) => server.close(resolve));
  const client = createClient({ url, credential: ACCOUNT });
  await expect(requireGateway(client)).rejects.toMatchObject({
    exit: "unreachable",
    message: `${url} can't be reached (ECONNREFUSED)`,
  });
});

it("ends a call at its timeout and at an interruption", async () => {
  const { url } = await serve(() => [200, {}]);
  server.removeAllListeners("request");
  const client = createClient({ url, credential: { kind: "bearer", token: "t" } });
  await expect(client.call({ ...CALL, timeoutMs: 20 })).rejects.toMatchObject({
    exit: "unreachable",
    message: `${url} can't be reached (no answer in time)`,
  });
  await expect(client.call({ ...CALL, signal: AbortSignal.timeout(20) })).rejects.toMatchObject({
    exit: "interrupted",
  });
});

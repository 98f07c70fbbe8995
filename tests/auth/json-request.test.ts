/** Requests to identity providers, with a real server. */
import { once } from "node:events";
import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { createJsonClient, FetchFailure } from "../../src/auth/json-request.ts";

const request = createJsonClient(undefined);

describe("a request", () => {
  let server: Server | undefined;
  const seen: string[] = [];

  const urlOf = async (answer: RequestListener): Promise<string> => {
    server = createServer(answer).listen(0, "127.0.0.1");
    await once(server, "listening");
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
  };
  const ask = (url: string) => request({ url }, AbortSignal.timeout(60_000));

  afterEach(() => {
    server?.closeAllConnections();
    server?.close();
  });

  it("sends method, headers and body, and returns status and value", async () => {
    const url = await urlOf((given, response) => {
      void given
        .setEncoding("utf8")
        .on("data", (text: string) => seen.push(text))
        .on("end", () => {
          seen.push(given.method ?? "", given.headers["content-length"] ?? "", given.headers.accept ?? "");
          response.writeHead(400).end('{"error":"invalid_grant"}');
        });
    });
    const answer = await request({ url, method: "POST", body: "code=é" }, AbortSignal.timeout(60_000));
    expect([answer.status, answer.value]).toEqual([400, { error: "invalid_grant" }]);
    expect(seen).toEqual(["code=é", "POST", "7", "application/json"]);
  });

  it("accepts a scheme in upper case", async () => {
    const url = await urlOf((_, response) => response.end("[]"));
    expect(await ask(url.replace("http:", "HTTP:"))).toMatchObject({ status: 200 });
    server?.close();
    await expect(ask(url.replace("http:", "HTTPS:"))).rejects.not.toThrow("protocol");
  });

  it("follows no redirect, and has no value without JSON", async () => {
    const url = await urlOf((_, response) => response.writeHead(302, { location: "/other" }).end("moved"));
    expect(await ask(url)).toMatchObject({ status: 302, value: undefined });
  });

  it("fails if the answer has more than 256 KiB", async () => {
    const url = await urlOf((_, response) => response.end(" ".repeat(256 * 1024 + 1)));
    await expect(ask(url)).rejects.toThrow(FetchFailure);
  });

  it("fails if the answer ends early, or if nobody listens", async () => {
    const url = await urlOf((_, response) => {
      response.writeHead(200, { "content-length": "10" });
      response.write("{", () => response.destroy());
    });
    await expect(ask(url)).rejects.toThrow("aborted");
    server?.close();
    await expect(ask(url)).rejects.toThrow();
  });

  it("ends when the signal is aborted", async () => {
    const abort = new AbortController();
    const url = await urlOf(() => {
      abort.abort();
    });
    await expect(request({ url }, abort.signal)).rejects.toThrow("aborted");
  });
});

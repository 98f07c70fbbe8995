/** A token endpoint on loopback for client credentials. */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders } from "node:http";
import type { AddressInfo } from "node:net";
import { createJsonClient } from "../../../src/auth/json-request.ts";
import type { PostForm, TokenEndpoint } from "../../../src/broker/kafka/sign-in/token-endpoint.ts";

export interface TestTokenEndpoint {
  readonly settings: TokenEndpoint;
  readonly post: PostForm;
  /** The headers and the form of each request so far. */
  readonly requests: readonly { readonly headers: IncomingHttpHeaders; readonly form: URLSearchParams }[];
  /** "away": it answers 503. */
  state: "up" | "away";
  stop(): Promise<void>;
}

/** Seconds. */
export const LIFETIME_S = 10;

/** `newToken` makes the token of each answer. It is valid for `LIFETIME_S`. */
export const startTokenEndpoint = async (newToken: () => string): Promise<TestTokenEndpoint> => {
  const requests: { headers: IncomingHttpHeaders; form: URLSearchParams }[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request
      .on("data", (chunk: Buffer) => chunks.push(chunk))
      .on("end", () => {
        requests.push({
          headers: request.headers,
          form: new URLSearchParams(Buffer.concat(chunks).toString()),
        });
        response.setHeader("content-type", "application/json");
        if (self.state === "away") response.writeHead(503).end("{}");
        else
          response.end(
            JSON.stringify({ access_token: newToken(), token_type: "Bearer", expires_in: LIFETIME_S }),
          );
      });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  const request = createJsonClient(undefined);
  const self: TestTokenEndpoint = {
    settings: {
      url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
      clientId: "gateway one",
      clientSecret: "correct:horse",
      scope: "kafka",
      audience: "cluster",
    },
    post: (form, signal) => request({ ...form, method: "POST" }, signal),
    requests,
    state: "up",
    stop: async () => {
      const closed = once(server, "close");
      server.close().closeAllConnections();
      await closed;
    },
  };
  return self;
};

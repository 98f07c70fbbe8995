/** An HTTP proxy on loopback that records what it was asked for. */
import { once } from "node:events";
import { createServer, request as httpRequest } from "node:http";
import { type AddressInfo, connect } from "node:net";

export interface HttpProxy {
  readonly port: number;
  /** `METHOD target`, in the order of arrival. */
  readonly asked: readonly string[];
  /** Values of Proxy-Authorization. */
  readonly credentials: readonly (string | undefined)[];
  close(): Promise<void>;
}

/** `refusal`: the status with which the proxy refuses every request. */
export const startHttpProxy = async (refusal?: number): Promise<HttpProxy> => {
  const asked: string[] = [];
  const credentials: (string | undefined)[] = [];
  const server = createServer((request, response) => {
    const { method = "", url = "", headers } = request;
    asked.push(`${method} ${url}`);
    credentials.push(headers["proxy-authorization"]);
    if (refusal !== undefined) {
      response.writeHead(refusal).end();
      return;
    }
    const passed = Object.entries(headers).filter(([name]) => name !== "proxy-authorization");
    const upstream = httpRequest(url, { method, headers: Object.fromEntries(passed) }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    upstream.on("error", () => response.writeHead(502).end());
    request.pipe(upstream);
  });
  server.on("connect", (request, socket, head) => {
    asked.push(`CONNECT ${request.url ?? ""}`);
    credentials.push(request.headers["proxy-authorization"]);
    if (refusal !== undefined) {
      socket.end(`HTTP/1.1 ${refusal} No\r\nContent-Length: 0\r\n\r\n`);
      return;
    }
    const { hostname, port } = new URL(`tcp://${request.url ?? ""}`);
    const upstream = connect(Number(port), hostname, () => {
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      upstream.write(head);
      upstream.pipe(socket).pipe(upstream);
    });
    upstream.on("error", () => socket.destroy());
    socket.on("error", () => upstream.destroy());
    socket.on("close", () => upstream.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    asked,
    credentials,
    close: async () => {
      server.close();
      server.closeAllConnections();
      await Promise.resolve();
    },
  };
};

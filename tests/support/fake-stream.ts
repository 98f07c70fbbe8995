/** A fake gateway that serves event streams as the test says, and records all requests. */
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface StreamRequest {
  readonly url: URL;
  readonly headers: IncomingHttpHeaders;
}

/** An open answer of the fake gateway. */
export interface OpenStream {
  readonly request: StreamRequest;
  /** Writes objects as lines; a text or bytes are written as they are. */
  write(...lines: readonly (object | string | Buffer)[]): void;
  /** Ends the answer. */
  end(): void;
  /** Resets the connection. */
  reset(): void;
  /** Resolves when the client or the gateway has closed the connection. */
  readonly closed: Promise<void>;
}

export interface FakeStreams {
  readonly url: string;
  readonly requests: readonly StreamRequest[];
  /** The next request is answered with this status, and then the one after it. */
  refuse(status: number, headers?: Record<string, string>, body?: string): void;
  /** The next stream that a client opens. */
  next(): Promise<OpenStream>;
  close(): Promise<void>;
}

interface Refusal {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: string;
}

/** The line of an event with the number `n`; its id is `id-<n>`. */
export const eventLine = (n: number, more: object = {}): object => ({
  ...{ id: `id-${n}`, partition: 0, offset: String(n), timestamp: 1_700_000_000_000 + n },
  ...{ key: null, headers: {}, value: { n }, ...more },
});

const openStream = (request: StreamRequest, response: ServerResponse): OpenStream => {
  response.writeHead(200, { "Content-Type": "application/x-ndjson", "Cache-Control": "no-store" });
  response.flushHeaders();
  return {
    request,
    write: (...lines) => {
      for (const line of lines)
        response.write(
          typeof line === "string" || line instanceof Buffer ? line : `${JSON.stringify(line)}\n`,
        );
    },
    end: () => response.end(),
    reset: () => response.destroy(),
    closed: new Promise((resolve) => response.once("close", resolve)),
  };
};

export const startFakeStreams = async (): Promise<FakeStreams> => {
  const requests: StreamRequest[] = [];
  const refusals: Refusal[] = [];
  const opened: OpenStream[] = [];
  const waiting: ((stream: OpenStream) => void)[] = [];

  const server = createServer((incoming, response) => {
    response.setHeader("Access-Control-Allow-Origin", "*");
    response.setHeader("Access-Control-Allow-Headers", "*, Authorization");
    response.setHeader("Access-Control-Expose-Headers", "Retry-After");
    if (incoming.method === "OPTIONS") {
      response.writeHead(204).end();
      return;
    }
    const request = { url: new URL(incoming.url ?? "", "http://gateway.test"), headers: incoming.headers };
    if (!request.url.pathname.endsWith("/consume/stream")) {
      response.writeHead(200, { "Content-Type": "application/json" }).end('{"status":"ok"}');
      return;
    }
    requests.push(request);
    const refusal = refusals.shift();
    if (refusal) {
      response.writeHead(refusal.status, refusal.headers).end(refusal.body);
      return;
    }
    const stream = openStream(request, response);
    const taker = waiting.shift();
    if (taker) taker(stream);
    else opened.push(stream);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    refuse: (status, headers = {}, body = JSON.stringify({ error: `refused ${status}`, success: false })) => {
      refusals.push({ status, headers: { "Content-Type": "application/json", ...headers }, body });
    },
    next: () => {
      const stream = opened.shift();
      return stream === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(stream);
    },
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => {
          resolve();
        });
      }),
  };
};

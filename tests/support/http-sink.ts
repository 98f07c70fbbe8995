/** A scripted HTTP endpoint on loopback that records each request with its time. */
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";

interface SinkRequest {
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly method: string;
  readonly url: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
  /** The client's port of the connection. */
  readonly from: number;
}

export type SinkAnswer =
  | {
      readonly status?: number;
      readonly body?: string;
      readonly headers?: Readonly<Record<string, string>>;
      readonly delayMs?: number;
    }
  /** Breaks the connection after reading the request, or never answers. */
  | "drop"
  | "hang";

/** `index` counts all requests from 0. */
export type SinkScript = (request: SinkRequest, index: number) => SinkAnswer;

export interface HttpSink {
  readonly url: string;
  readonly port: number;
  readonly requests: readonly SinkRequest[];
  readonly bodies: readonly string[];
  answer(script: SinkScript): void;
  /** Resolves when this number of requests has arrived. */
  received(count: number): Promise<void>;
  until(condition: (requests: readonly SinkRequest[]) => boolean): Promise<void>;
  close(): Promise<void>;
}

export const DONE = { status: 200, body: '{"retry":false}' };
export const RETRY = { status: 200, body: '{"retry":true}' };

const read = async (request: IncomingMessage): Promise<string> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString();
};

export const startHttpSink = async (script: SinkScript = () => DONE): Promise<HttpSink> => {
  const requests: SinkRequest[] = [];
  const waiters = new Set<() => void>();
  let current = script;

  const server = createServer((request, response) => {
    const { method = "", url = "", headers } = request;
    void read(request).then((body) => {
      const seen: SinkRequest = {
        at: Date.now(),
        method,
        url,
        headers,
        body,
        from: request.socket.remotePort ?? 0,
      };
      requests.push(seen);
      const answer = current(seen, requests.length - 1);
      for (const waiter of waiters) waiter();
      if (answer === "hang") return;
      if (answer === "drop") {
        request.socket.destroy();
        return;
      }
      const send = (): void => {
        response.writeHead(answer.status ?? 200, answer.headers);
        response.end(answer.body ?? "");
      };
      if (answer.delayMs === undefined) send();
      else setTimeout(send, answer.delayMs);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;

  const until = (condition: (requests: readonly SinkRequest[]) => boolean): Promise<void> =>
    new Promise((resolve) => {
      const check = (): void => {
        if (!condition(requests)) return;
        waiters.delete(check);
        resolve();
      };
      waiters.add(check);
      check();
    });

  return {
    url: `http://127.0.0.1:${port}`,
    port,
    requests,
    get bodies() {
      return requests.map(({ body }) => body);
    },
    answer: (next) => {
      current = next;
    },
    received: (count) => until((all) => all.length >= count),
    until,
    close: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
};

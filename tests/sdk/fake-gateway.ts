/** A fake gateway: it answers as the test says, and records all requests. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

export interface SentEvent {
  readonly id: string;
  readonly event: { readonly n: number };
}

export interface Received {
  readonly at: number;
  readonly token: string | undefined;
  readonly contentType: string | undefined;
  readonly origin: string | undefined;
  readonly events: readonly SentEvent[];
  readonly bytes: number;
}

export interface Answer {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body?: unknown;
  /** A text instead of a JSON body. */
  readonly text?: string;
  /** Stores the events before it answers; default: only with status 200. */
  readonly stores?: boolean;
  /** Answers only when this resolves. */
  readonly after?: Promise<unknown>;
}

export interface FakeGateway {
  readonly url: string;
  readonly received: readonly Received[];
  /** All stored events, in order, with repetitions. */
  readonly log: readonly SentEvent[];
  /** Maximum number of requests at the same time. */
  readonly mostAtOnce: number;
  /** The answer to a request; undefined: the events are stored. */
  answer: (received: Received, count: number) => Answer | undefined;
  /** Resolves when the log has `count` different events. */
  stored(count: number): Promise<void>;
  /** Resolves when `count` requests have arrived. */
  requests(count: number): Promise<void>;
  close(): Promise<void>;
}

const stored = (events: readonly SentEvent[]): Answer => ({
  status: 200,
  body: {
    error: null,
    success: true,
    results: events.map((_, i) => ({ status: "stored", partition: 0, offset: String(i), timestamp: 1 })),
  },
});

export const startFakeGateway = async (): Promise<FakeGateway> => {
  const received: Received[] = [];
  const log: SentEvent[] = [];
  const watchers = new Set<() => void>();
  let atOnce = 0;

  const until = (isReached: () => boolean): Promise<void> =>
    new Promise((resolve) => {
      const check = (): void => {
        if (!isReached()) return;
        watchers.delete(check);
        resolve();
      };
      watchers.add(check);
      check();
    });
  const notify = (): void => {
    for (const watcher of watchers) watcher();
  };

  const read = async (request: IncomingMessage): Promise<Received> => {
    const body = await buffer(request);
    const { token, events } = JSON.parse(body.toString()) as { token?: string; events: SentEvent[] };
    const { origin, "content-type": contentType } = request.headers;
    return { at: Date.now(), token, contentType, origin, events, bytes: body.length };
  };

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    response.setHeader("Access-Control-Allow-Origin", "*");
    response.setHeader("Access-Control-Expose-Headers", "Retry-After");
    if (request.method !== "POST") {
      response.writeHead(405).end();
      return;
    }
    gateway.mostAtOnce = Math.max(gateway.mostAtOnce, ++atOnce);
    const call = await read(request);
    received.push(call);
    const answer = gateway.answer(call, received.length) ?? stored(call.events);
    if (answer.stores ?? answer.status === 200) log.push(...call.events);
    notify();
    await answer.after;
    atOnce--;
    response.writeHead(answer.status, { "Content-Type": "application/json", ...answer.headers });
    response.end(answer.text ?? JSON.stringify(answer.body ?? { error: "scripted", success: false }));
  };

  const server = createServer((request, response) => {
    // The page ended during its request.
    handle(request, response).catch(() => response.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const gateway = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    log,
    mostAtOnce: 0,
    answer: (_received: Received, _count: number): Answer | undefined => undefined,
    stored: (count: number) => until(() => new Set(log.map(({ id }) => id)).size >= count),
    requests: (count: number) => until(() => received.length >= count),
    close: () =>
      new Promise<void>((resolve) => {
        server.closeAllConnections();
        server.close(() => {
          resolve();
        });
      }),
  };
  return gateway;
};

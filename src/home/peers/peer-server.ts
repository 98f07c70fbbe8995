/**
 * The peer port: answers the signed requests of other processes. Every other request gets 403 with an empty body, before its
 * body is read.
 */
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { asGatewayError } from "../../errors.ts";
import type { Clock } from "../../lib/clock.ts";
import {
  ANSWER_HEADER,
  type AnswerHead,
  MOVED_STATUS,
  type PeerAnswer,
  type PeerCall,
  type PeerHandler,
} from "./peers.ts";
import { hashOf, SIGNATURE_HEADER, verifiedBodyHash } from "./signature.ts";

export interface PeerServerOptions {
  /** The present ones, from `peerKeys`; not empty. */
  readonly keys: () => readonly Buffer[];
  /** The current id of this process; requests for another id are refused. */
  readonly id: () => string;
  readonly clock: Clock;
  readonly maxBodyBytes: number;
  readonly maxConnections: number;
  /** Milliseconds without a report after which an answer counts as not sent whole. */
  readonly answerTimeoutMs: number;
}

export interface PeerServer {
  /** Resolves to the port. */
  listen(host: string, port: number): Promise<number>;
  /** Breaks all connections: answers without a report count as not sent whole. */
  close(): Promise<void>;
}

export const createPeerServer = (options: PeerServerOptions, handler: PeerHandler): PeerServer => {
  const answers = createOpenAnswers(options);
  const serve = createRoutes(handler, answers);
  const limits = { headersTimeout: 10_000, requestTimeout: 60_000, requireHostHeader: false };
  const server = createServer(limits, (request, response) => {
    respond(options, serve, request, response).catch(() => {
      request.socket.destroy();
    });
  });
  // Node answers these by itself, with other statuses, if there is no listener.
  server.on("checkContinue", refuse).on("checkExpectation", refuse);
  server.on("clientError", (_error, socket) => {
    socket.end(FORBIDDEN_TEXT, () => socket.destroy());
  });
  // A connection without a request is kept: its end tells that the other process has ended.
  server.keepAliveTimeout = 0;
  server.maxConnections = options.maxConnections;

  return {
    listen: (host, port) => listening(server, host, port),
    close: async () => {
      const closed = new Promise<void>((resolve) =>
        server.close(() => {
          resolve();
        }),
      );
      server.closeAllConnections();
      await closed;
    },
  };
};

const listening = (server: Server, host: string, port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once("error", reject);
    // In a worker of node:cluster, a port that is not exclusive is one socket of all workers.
    server.listen({ port, host, exclusive: true }, () => {
      server.off("error", reject);
      resolve((server.address() as AddressInfo).port);
    });
  });

type Serve = (url: URL, body: Buffer, socket: Socket) => Promise<Reply>;

interface Reply {
  readonly status: number;
  readonly head?: AnswerHead;
  readonly body?: Buffer;
}

const FORBIDDEN: Reply = { status: 403 };
const FORBIDDEN_TEXT = "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

const refuse = (_request: IncomingMessage, response: ServerResponse): void => {
  response.writeHead(FORBIDDEN.status, { Connection: "close", "Content-Length": 0 }).end();
};

const respond = async (
  options: PeerServerOptions,
  serve: Serve,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> => {
  const { method = "", url = "", headers, socket } = request;
  const header = headers[SIGNATURE_HEADER];
  const bodyHash = verifiedBodyHash(
    options.keys(),
    typeof header === "string" ? header : undefined,
    { method, path: url, target: options.id() },
    options.clock.now(),
  );
  const body = bodyHash === undefined ? undefined : await bodyOf(request, options.maxBodyBytes);
  const isOurs = body !== undefined && hashOf(body) === bodyHash;
  const reply = isOurs ? await serve(new URL(url, "http://peer"), body, socket) : FORBIDDEN;
  if (!isOurs) response.setHeader("Connection", "close");
  if (reply.head !== undefined)
    response.setHeader(ANSWER_HEADER, Buffer.from(JSON.stringify(reply.head)).toString("base64"));
  response.writeHead(reply.status, { "Content-Length": reply.body?.length ?? 0 });
  response.end(reply.body);
};

/** undefined: the body is larger than the limit. */
const bodyOf = async (request: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> => {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
};

const createRoutes = (handler: PeerHandler, answers: OpenAnswers): Serve => {
  const call: Serve = async (url, body, socket) => {
    const aborted = new AbortController();
    const onClose = (): void => {
      aborted.abort();
    };
    socket.once("close", onClose);
    try {
      const answer = await handler.call(numberOf(url, "slot"), callOf(url, body, aborted.signal));
      if (answer === "moved") return { status: MOVED_STATUS };
      const id = answers.open(answer, socket);
      return { status: 200, head: { id, status: answer.status, headers: answer.headers }, body: answer.body };
    } catch (error) {
      const { code, message, retryAfter } = asGatewayError(error);
      return { status: 200, head: { error: { code, message }, retryAfter } };
    } finally {
      socket.off("close", onClose);
    }
  };
  const routes: Readonly<Record<string, Serve>> = {
    "/peer/call": call,
    "/peer/ended": (url) => {
      answers.ended(url.searchParams.get("answer") ?? "", url.searchParams.get("sent") === "true");
      return Promise.resolve({ status: 204 });
    },
    "/peer/alive": (_url, body) => {
      for (const id of body.toString().split(",")) answers.alive(id);
      return Promise.resolve({ status: 204 });
    },
    "/peer/ask": async (url) => {
      const names = await handler.ask(numberOf(url, "slot"), numberOf(url, "generation"));
      if (names === undefined) return { status: MOVED_STATUS };
      return { status: 200, body: Buffer.from(JSON.stringify(names)) };
    },
    "/peer/given": async (url) => ({
      status: (await handler.given(numberOf(url, "slot"), numberOf(url, "generation"))) ? 204 : MOVED_STATUS,
    }),
  };
  return (url, body, socket) => routes[url.pathname]?.(url, body, socket) ?? Promise.resolve(FORBIDDEN);
};

const numberOf = (url: URL, name: string): number => Number(url.searchParams.get(name));

const callOf = (url: URL, body: Buffer, signal: AbortSignal): PeerCall => ({
  path: url.searchParams.get("path") ?? "",
  body,
  waitMs: numberOf(url, "wait"),
  signal,
});

/** Answers of which the receiving process has not yet reported the end. A connection has at most one. */
interface OpenAnswers {
  /** Returns the id by which the receiving process names the answer. */
  open(answer: PeerAnswer, socket: Socket): string;
  alive(id: string): void;
  ended(id: string, sentWhole: boolean): void;
}

const createOpenAnswers = ({ clock, answerTimeoutMs }: PeerServerOptions): OpenAnswers => {
  const open = new Map<string, { readonly end: (sentWhole: boolean) => void; readonly alive: () => void }>();

  return {
    open: (answer, socket) => {
      const id = randomUUID();
      const onClose = (): void => {
        end(false);
      };
      const end = (sentWhole: boolean): void => {
        if (!open.delete(id)) return;
        stopTimer();
        socket.off("close", onClose);
        answer.ended(sentWhole);
      };
      let stopTimer = clock.after(answerTimeoutMs, onClose);
      const alive = (): void => {
        stopTimer();
        stopTimer = clock.after(answerTimeoutMs, onClose);
      };
      open.set(id, { end, alive });
      if (socket.destroyed) onClose();
      else socket.once("close", onClose);
      return id;
    },
    alive: (id) => open.get(id)?.alive(),
    ended: (id, sentWhole) => open.get(id)?.end(sentWhole),
  };
};

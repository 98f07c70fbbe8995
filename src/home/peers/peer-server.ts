/**
 * The peer port: answers the signed requests of other processes. Every other request gets 403 with an empty body, before its
 * body is read.
 */
import { randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Clock } from "../../lib/clock.ts";
import {
  ANSWER_HEADER,
  type AnswerHead,
  headOfError,
  homePath,
  MOVED_STATUS,
  type PeerAnswer,
  type PeerCall,
  type PeerHandler,
  type PeerHome,
} from "./peers.ts";
import { answerBundle } from "./bundle-answers.ts";
import { hashOf, SIGNATURE_HEADER, verifiedBodyHash } from "./signature.ts";

export interface PeerServerOptions {
  /** The present ones, from `peerKeys`; not empty. */
  readonly keys: () => readonly Buffer[];
  readonly clock: Clock;
  readonly maxBodyBytes: number;
  readonly maxConnections: number;
  /** Milliseconds without a report after which an answer counts as not sent whole. */
  readonly answerTimeoutMs: number;
}

export interface PeerServer {
  /** Serves the requests for a home. Without a name it is the home of readers' groups, as in `homePath`. */
  serve(home: PeerHome, name?: string): void;
  /** Resolves to the port. */
  listen(host: string, port: number): Promise<number>;
  /** Breaks all connections: answers without a report count as not sent whole. */
  close(): Promise<void>;
}

export const createPeerServer = (options: PeerServerOptions): PeerServer => {
  const answers = createOpenAnswers(options);
  const homes: Homes = new Map();
  const limits = { headersTimeout: 10_000, requestTimeout: 60_000, requireHostHeader: false };
  const server = createServer(limits, (request, response) => {
    respond(options, homes, request, response).catch(() => {
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
    serve: (home, name) => {
      homes.set(homePath(name), { home, serve: createRoutes(home.handler, answers) });
    },
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

/** By the path under which the home is served. */
type Homes = Map<string, { readonly home: PeerHome; readonly serve: Serve }>;

interface Reply {
  readonly status: number;
  readonly head?: AnswerHead;
  readonly body?: Buffer;
  /** Writes the body bit by bit, instead of `body`. */
  readonly write?: (write: (bytes: Buffer) => void) => Promise<void>;
}

const FORBIDDEN: Reply = { status: 403 };
const FORBIDDEN_TEXT = "HTTP/1.1 403 Forbidden\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

const refuse = (_request: IncomingMessage, response: ServerResponse): void => {
  response.writeHead(FORBIDDEN.status, { Connection: "close", "Content-Length": 0 }).end();
};

/** undefined: the request doesn't come from another gateway, or is for a home that this process doesn't have. */
const checked = async (options: PeerServerOptions, homes: Homes, request: IncomingMessage) => {
  const { method = "", url = "", headers } = request;
  const [path = ""] = url.split("?", 1);
  const called = homes.get(path.slice(0, path.lastIndexOf("/")));
  if (called === undefined) return undefined;
  const header = headers[SIGNATURE_HEADER];
  const bodyHash = verifiedBodyHash(
    options.keys(),
    typeof header === "string" ? header : undefined,
    { method, path: url, target: called.home.id },
    options.clock.now(),
  );
  if (bodyHash === undefined) return undefined;
  const body = await bodyOf(request, options.maxBodyBytes);
  return body !== undefined && hashOf(body) === bodyHash ? { serve: called.serve, body } : undefined;
};

const respond = async (
  options: PeerServerOptions,
  homes: Homes,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> => {
  const { url = "", socket } = request;
  const ours = await checked(options, homes, request);
  const reply = (await ours?.serve(new URL(url, "http://peer"), ours.body, socket)) ?? FORBIDDEN;
  if (ours === undefined) response.setHeader("Connection", "close");
  if (reply.head !== undefined)
    response.setHeader(ANSWER_HEADER, Buffer.from(JSON.stringify(reply.head)).toString("base64"));
  if (reply.write !== undefined) {
    response.writeHead(reply.status);
    await sendBits(response, reply.write);
    return;
  }
  response.writeHead(reply.status, { "Content-Length": reply.body?.length ?? 0 });
  response.end(reply.body);
};

/** What is written in one turn of the event loop leaves together. */
const sendBits = async (response: ServerResponse, write: NonNullable<Reply["write"]>): Promise<void> => {
  const bits: Buffer[] = [];
  const taken = (): Buffer => Buffer.concat(bits.splice(0));
  await write((bytes) => {
    if (bits.push(bytes) > 1) return;
    setImmediate(() => {
      if (bits.length > 0) response.write(taken());
    });
  });
  response.end(taken());
};

/** undefined: the body is larger than the limit. An iterator of the request takes longer than its events. */
const bodyOf = (request: IncomingMessage, maxBytes: number): Promise<Buffer | undefined> =>
  new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let bytes = 0;
    request.on("data", (chunk: Buffer) => {
      bytes += chunk.length;
      if (bytes <= maxBytes) chunks.push(chunk);
      else {
        request.destroy();
        resolve(undefined);
      }
    });
    request.once("end", () => {
      const [first] = chunks;
      resolve(chunks.length === 1 ? first : Buffer.concat(chunks));
    });
    request.once("error", reject);
  });

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
      const head = { status: answer.status, headers: answer.headers };
      if (answer.reportsEnd === false) return { status: 200, head, body: answer.body };
      return { status: 200, head: { ...head, id: answers.open(answer, socket) }, body: answer.body };
    } catch (error) {
      return { status: 200, head: headOfError(error) };
    } finally {
      socket.off("close", onClose);
    }
  };
  const byAction: Readonly<Record<string, Serve>> = {
    call,
    calls: (_url, bundle, socket) =>
      Promise.resolve({ status: 200, write: (write) => answerBundle(handler, { bundle, socket }, write) }),
    ended: (url) => {
      answers.ended(url.searchParams.get("answer") ?? "", url.searchParams.get("sent") === "true");
      return Promise.resolve({ status: 204 });
    },
    alive: (_url, body) => {
      for (const id of body.toString().split(",")) answers.alive(id);
      return Promise.resolve({ status: 204 });
    },
    ask: async (url) => {
      const names = await handler.ask(numberOf(url, "slot"), numberOf(url, "generation"));
      if (names === undefined) return { status: MOVED_STATUS };
      return { status: 200, body: Buffer.from(JSON.stringify(names)) };
    },
    given: async (url) => ({
      status: (await handler.given(numberOf(url, "slot"), numberOf(url, "generation"))) ? 204 : MOVED_STATUS,
    }),
  };
  const routes = new Map(Object.entries(byAction));
  return (url, body, socket) => {
    const action = url.pathname.slice(url.pathname.lastIndexOf("/") + 1);
    return routes.get(action)?.(url, body, socket) ?? Promise.resolve(FORBIDDEN);
  };
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

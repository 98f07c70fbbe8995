/** A listener: node's http server with the configured limits, and with request and response objects made for Express. */
import { createServer, IncomingMessage, ServerResponse, type RequestListener, type Server } from "node:http";
import type { AddressInfo, ListenOptions, Server as NetServer, Socket } from "node:net";
import express, { type Express } from "express";
import { GatewayError, type ErrorCode } from "../errors.ts";
import { createDrain, pendingAnswer, type Drain } from "./drain.ts";
import { createPreparedResponse } from "./fast-path/answer.ts";
import { createDirectRequest } from "./fast-path/body.ts";
import { fastPathFault } from "./fast-path/check.ts";
import { createLoopTurns } from "../lib/event-loop.ts";
import type { MemoryBudget } from "../lib/memory-budget.ts";
import { closeLingering, lingerOnClose, rawAnswer } from "./last-answer.ts";
import { parseAgain, whenAnswered } from "./parse-again.ts";
import { createPipeline } from "./pipeline.ts";
import type { PemFiles } from "./tls/secure-context.ts";
import { openTls, type ServerTls } from "./tls/tls-listener.ts";
import { limitUnreadHeads } from "./unread-heads.ts";

/** Times in milliseconds. The body reader has the timeout of bodies, because a stream may stay open for hours. */
export interface ServerLimits {
  /** Longer than the idle time of the load balancer in front, which must close first. */
  readonly keepAliveTimeout: number;
  readonly headersTimeout: number;
  readonly maxHeaderSize: number;
  /** Maximum number of open connections; 0 means no limit. */
  readonly maxConnections: number;
  /** Maximum number of connections that the operating system queues until they are accepted. Further clients wait seconds and retry. */
  readonly backlog: number;
}

export interface HttpServer extends Drain {
  /** Requests from now on go to this app. Its settings must be those of the first app. */
  serve(app: Express): void;
  /** Rejects with node's error, for example if the address is in use. */
  listen(port: number, host: string): Promise<AddressInfo>;
  /** Accepts connections also from a listening socket of another process. */
  acceptFrom(listening: NetServer): void;
  /** Serves a connection that another process has accepted. */
  take(socket: Socket): void;
  /**
   * New connections use this pair, and open ones go on. If the CAs have changed, the connections whose client showed a
   * certificate are closed after their next answer, and idle ones within 1 s. Throws OpenSSL's error for a pair that can't be
   * used, and then nothing changes. Only for a server with TLS.
   */
  renewTls(pem: PemFiles): void;
}

/**
 * Number of connections that start pipelined requests in the same turn of the event loop. node accepts one connection in a
 * turn: while 100 connections send pipelines, a new connection waits for 100 turns, so turns must be short.
 */
const PIPELINES_PER_TURN = 1;

/** Memory for partial request heads, as a fraction of `limits.memory`. It is not a part of `limits.memory`. */
const UNREAD_HEADS_SHARE = 0.25;

interface ServerOptions {
  readonly tls?: ServerTls | undefined;
  /** False: Node writes all answers (`fast-path/`). Default: true if this Node has passed the check. */
  readonly fastPath?: boolean;
}

/** `memory` counts the requests that wait for earlier answers of their connection. */
export const createHttpServer = (
  app: Express,
  limits: ServerLimits,
  memory: MemoryBudget,
  { tls, fastPath = fastPathFault() === undefined }: ServerOptions = {},
): HttpServer => {
  const turns = createLoopTurns(PIPELINES_PER_TURN);
  const pipeline = createPipeline(turns);
  const classes = fastPath ? createFastClasses(limits.keepAliveTimeout) : createPlainClasses();
  const { constructors, listener, serve } = createServing(app, classes);
  const server = createServer(
    {
      ...constructors,
      keepAliveTimeout: limits.keepAliveTimeout,
      headersTimeout: limits.headersTimeout,
      requestTimeout: 0,
      maxHeaderSize: limits.maxHeaderSize,
      connectionsCheckingInterval: Math.min(limits.headersTimeout, 5000),
    },
    pipeline.follow(listener),
  );
  // By default node drops headers beyond 1,000 without an error; maxHeaderSize is the limit here.
  server.maxHeadersCount = 0;
  server.on("checkContinue", pipeline.follow(continueWhenRead(listener)));
  server.on("checkExpectation", pipeline.follow(listener));
  server.on("upgrade", parseAgain({ server, memory, turns, onNewParser: pipeline.hasNewParser }));
  server.on("connect", refuseConnect);
  server.on("clientError", answerClientError);
  const sockets = trackSockets(server, limits.maxConnections);
  limitUnreadHeads(server, {
    maxBytes: () => memory.maxBytes * UNREAD_HEADS_SHARE,
    maxHeaderSize: limits.maxHeaderSize,
    connections: () => sockets.size,
  });
  const secure =
    tls &&
    openTls(server, sockets, {
      ...tls,
      handshakeTimeout: limits.headersTimeout,
      // `trackSockets` answers the connections above the limit.
      maxConnections: limits.maxConnections === 0 ? Infinity : limits.maxConnections + MAX_REFUSED,
      maxBytes: () => memory.maxBytes,
    });
  const listening = secure?.listening ?? server;
  const connections = (): readonly Socket[] => [...(secure?.handshakes() ?? []), ...sockets];
  return {
    serve,
    listen: (port, host) => listen(listening, { port, host, backlog: limits.backlog }),
    acceptFrom: (shared) => {
      // The socket from the channel listens already, but with node's backlog and without this server's options.
      listening.listen(shared, limits.backlog);
    },
    take: (socket) => {
      listening.emit("connection", socket);
    },
    ...createDrain({ listening, server, connections, onlyAnswer: pipeline.onlyAnswer }),
    renewTls: (pem) => {
      if (secure === undefined) throw new TypeError("This server has no TLS");
      secure.renew(pem);
    },
  };
};

/**
 * Express sets the prototype of each request and response by `Object.setPrototypeOf`, which makes them slow objects in V8. An
 * object that is created with this prototype stays fast: 43 µs of CPU per request instead of 106, and node:http alone takes 28
 * (JSON body of 256 bytes, read and parsed, 32 connections).
 *
 * The objects are created by classes whose prototypes become Express's own. A function with Express's prototype that calls
 * node's constructor makes responses with dictionary properties (1.25 times the CPU per event of the whole gateway), and
 * `Reflect.construct` is slower still (2.8 times).
 *
 * All apps of a server share these prototypes, so that the objects stay fast after a change of the app. The prototypes belong to
 * an app without routes, so that they keep no earlier app in memory.
 */
const createServing = (first: Express, { Request, Response }: Classes) => {
  const base = express();
  Object.assign(base.settings as object, first.settings);
  Object.setPrototypeOf(Request.prototype, base.request);
  Object.setPrototypeOf(Response.prototype, base.response);
  const adopt = (app: Express): Express => {
    app.request = Request.prototype as typeof app.request;
    app.response = Response.prototype as unknown as typeof app.response;
    return app;
  };
  let served = adopt(first);
  const listener: RequestListener = (request, response) => {
    served(request, response);
  };
  return {
    constructors: { IncomingMessage: Request, ServerResponse: Response },
    listener,
    serve: (next: Express): void => {
      served = adopt(next);
    },
  };
};

/** New classes for each server, because Express's prototypes become those of the classes. */
interface Classes {
  readonly Request: typeof IncomingMessage;
  readonly Response: typeof ServerResponse;
}

const createFastClasses = (keepAliveTimeout: number): Classes => ({
  Request: createDirectRequest(),
  Response: createPreparedResponse(keepAliveTimeout),
});

const createPlainClasses = (): Classes => ({
  Request: class extends IncomingMessage {},
  Response: class<T extends IncomingMessage> extends ServerResponse<T> {},
});

/** Maximum number of refused connections that get an answer at the same time. Each stays open until its client has read it, at most 2 s. */
const MAX_REFUSED = 100;

/** Closes connections above the limit: with an answer, and beyond `MAX_REFUSED` without an answer. */
const connectionRefuser = (): ((socket: Socket) => void) => {
  let refused = 0;
  return (socket) => {
    if (refused >= MAX_REFUSED) {
      socket.destroy();
      return;
    }
    refused += 1;
    socket.once("close", () => (refused -= 1));
    socket.on("error", () => socket.destroy());
    const message = "The gateway has as many connections as server.maxConnections allows. Try again later.";
    const error = new GatewayError("OVERLOADED", { message, headers: { "Retry-After": "1" } });
    closeLingering(socket, rawAnswer(error));
  };
};

/** Answers CONNECT, because the gateway is not a tunnel. Without this listener node would cut the connection. */
const refuseConnect = ({ socket }: IncomingMessage): void => {
  socket.on("error", () => socket.destroy());
  whenAnswered(socket, () => {
    // No method is allowed for the target of a tunnel.
    closeLingering(socket, rawAnswer(new GatewayError("METHOD_NOT_ALLOWED", { headers: { Allow: "" } })));
  });
};

/** The open connections. node's own limit counts only connections that this process accepts, not those from other processes. */
const trackSockets = (server: Server, max: number): ReadonlySet<Socket> => {
  const sockets = new Set<Socket>();
  const refuse = connectionRefuser();
  server.on("connection", (socket) => {
    // The event comes again when a connection gets a new parser (`parse-again.ts`).
    if (sockets.has(socket)) return;
    if (max > 0 && sockets.size >= max) {
      refuse(socket);
      return;
    }
    lingerOnClose(socket);
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  return sockets;
};

/** `Expect: 100-continue`: asks for the body only when the route reads it, after the credential was checked. */
const continueWhenRead =
  (listener: RequestListener): RequestListener =>
  (request, response) => {
    request.once("resume", () => {
      if (!response.headersSent) response.writeContinue();
    });
    listener(request, response);
  };

/** Answers malformed or late requests, which Express never sees. */
const answerClientError = (error: NodeJS.ErrnoException, socket: Socket): void => {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const pending = pendingAnswer(socket);
  if (pending?.headersSent === true || pending?.req.complete === true) {
    // A stream in progress gets the error as the end of its input.
    if (!pending.req.complete && pending.req.listenerCount("error") > 0) pending.req.emit("error", error);
    // The malformed bytes follow valid requests, which get their answers first.
    pending.once("close", () => {
      if (pendingAnswer(socket) === undefined) closeLingering(socket);
      else answerClientError(error, socket);
    });
    return;
  }
  closeLingering(socket, rawAnswer(new GatewayError(codeOf(error))));
};

const codeOf = (error: NodeJS.ErrnoException): ErrorCode => {
  if (error.code === "HPE_HEADER_OVERFLOW") return "HEADERS_TOO_LARGE";
  if (error.code === "ERR_HTTP_REQUEST_TIMEOUT") return "REQUEST_TIMEOUT";
  return error.code === "HPE_INVALID_EOF_STATE" ? "BODY_INCOMPLETE" : "REQUEST_MALFORMED";
};

const listen = (server: NetServer, options: ListenOptions): Promise<AddressInfo> =>
  new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(options, () => {
      server.off("error", reject);
      resolve(server.address() as AddressInfo);
    });
  });

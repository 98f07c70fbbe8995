/** A listener: node's http server with our limits, and objects that Express takes as they are. */
import {
  createServer,
  IncomingMessage,
  ServerResponse,
  type RequestListener,
  type Server,
  type ServerOptions,
} from "node:http";
import type { AddressInfo, ListenOptions, Server as NetServer, Socket } from "node:net";
import type { Express } from "express";
import { GatewayError, type ErrorCode } from "../errors.ts";
import { drain, pendingAnswer, stopAccepting, type DrainOptions } from "./drain.ts";
import { createLoopTurns } from "../lib/loop-turns.ts";
import type { MemoryBudget } from "../lib/memory-budget.ts";
import { closeLingering, lingerOnClose } from "./lingering.ts";
import { parseAgain, whenAnswered } from "./parse-again.ts";
import { createPipeline } from "./pipeline.ts";
import { rawAnswer } from "./raw-answer.ts";

/** Times in milliseconds. The time of a body is the body reader's: a stream may stay open for hours. */
export interface ServerLimits {
  /** Longer than a load balancer keeps an idle connection: the one in front must be the first to close. */
  readonly keepAliveTimeout: number;
  readonly headersTimeout: number;
  readonly maxHeaderSize: number;
  /** Open connections; 0 is no limit. */
  readonly maxConnections: number;
  /** Connections that the system holds until they are accepted: those beyond it wait for seconds, to try again. */
  readonly backlog: number;
}

export interface HttpServer {
  /** Rejects as node does, when the address is taken. */
  listen(port: number, host: string): Promise<AddressInfo>;
  /** Accepts connections from a listening socket of another process too. */
  acceptFrom(listening: NetServer): void;
  /** Serves a connection that another process has accepted. */
  take(socket: Socket): void;
  /** Stops accepting; connections go on, and more can be taken. */
  stopAccepting(): Promise<void>;
  /** Stops accepting, answers what is under way and closes; resolves once no connection is left. */
  drain(options: DrainOptions): Promise<void>;
}

/** Connections whose pipelined requests begin in the same turn of the event loop. */
const PIPELINES_PER_TURN = 8;

/** `memory`: where requests are counted that wait for the answers before them. */
export const createHttpServer = (app: Express, limits: ServerLimits, memory: MemoryBudget): HttpServer => {
  const turns = createLoopTurns(PIPELINES_PER_TURN);
  const pipeline = createPipeline(turns);
  const server = createServer(
    {
      ...constructorsFor(app),
      keepAliveTimeout: limits.keepAliveTimeout,
      headersTimeout: limits.headersTimeout,
      requestTimeout: 0,
      maxHeaderSize: limits.maxHeaderSize,
      connectionsCheckingInterval: Math.min(limits.headersTimeout, 5000),
    },
    pipeline.follow(app),
  );
  // node would drop those beyond 1,000 in silence; maxHeaderSize is the bound.
  server.maxHeadersCount = 0;
  server.on("checkContinue", pipeline.follow(continueWhenRead(app)));
  server.on("checkExpectation", pipeline.follow(app));
  server.on("upgrade", parseAgain({ server, memory, turns, onNewParser: pipeline.hasNewParser }));
  server.on("connect", refuseConnect);
  server.on("clientError", answerClientError);
  const sockets = trackSockets(server, limits.maxConnections);
  return {
    listen: (port, host) => listen(server, { port, host, backlog: limits.backlog }),
    acceptFrom: (listening) => {
      // What comes over the channel already listens, but with node's backlog, and without this server's options.
      server.listen(listening, limits.backlog);
    },
    take: (socket) => {
      server.emit("connection", socket);
    },
    stopAccepting: () => stopAccepting(server),
    drain: (options) => drain(server, sockets, options),
  };
};

/**
 * Express gives each request and response its own prototype by `Object.setPrototypeOf`, after which the engine treats
 * them as slow objects. Objects that are born with that prototype aren't changed by it: 43 µs of CPU a request instead
 * of 106, where bare node:http takes 28 (JSON body of 256 bytes, read and parsed, 32 connections).
 *
 * They are born by classes, whose prototypes become Express's own. A function with Express's prototype, that applies
 * node's constructor, makes responses that keep their properties in a dictionary (the whole gateway then takes 1.25
 * times as much CPU an event), and `Reflect.construct` is slower still (2.8 times).
 */
const constructorsFor = (
  app: Express,
): Required<Pick<ServerOptions, "IncomingMessage" | "ServerResponse">> => {
  class Request extends IncomingMessage {}
  class Response<T extends IncomingMessage> extends ServerResponse<T> {}
  Object.setPrototypeOf(Request.prototype, app.request);
  Object.setPrototypeOf(Response.prototype, app.response);
  app.request = Request.prototype as typeof app.request;
  app.response = Response.prototype as unknown as typeof app.response;
  return { IncomingMessage: Request, ServerResponse: Response };
};

/** Refused connections that are told why at the same time: each stays until its client has read it, at most 2 s. */
const MAX_REFUSED = 100;

/** Closes connections above the limit: with an answer, and those beyond `MAX_REFUSED` without one. */
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

/** The gateway is no tunnel. node gives the connection away with this method, and cuts it where nobody takes it. */
const refuseConnect = ({ socket }: IncomingMessage): void => {
  socket.on("error", () => socket.destroy());
  whenAnswered(socket, () => {
    // No method is allowed for the target of a tunnel.
    closeLingering(socket, rawAnswer(new GatewayError("METHOD_NOT_ALLOWED", { headers: { Allow: "" } })));
  });
};

/** Those that are open. node's own limit counts only what a server accepts itself, not what it is given. */
const trackSockets = (server: Server, max: number): ReadonlySet<Socket> => {
  const sockets = new Set<Socket>();
  const refuse = connectionRefuser();
  server.on("connection", (socket) => {
    // Once more, after an offer to upgrade.
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

/** `Expect: 100-continue`: the client may go on once its body is asked for, and not before it is known to be welcome. */
const continueWhenRead =
  (app: Express): RequestListener =>
  (request, response) => {
    request.once("resume", () => {
      if (!response.headersSent) response.writeContinue();
    });
    app(request, response);
  };

/** What isn't HTTP, or comes too late, is answered without Express, which has never seen it. */
const answerClientError = (error: NodeJS.ErrnoException, socket: Socket): void => {
  if (error.code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const pending = pendingAnswer(socket);
  if (pending?.headersSent === true || pending?.req.complete === true) {
    // A stream is answered while it comes: it learns that no more of it will.
    if (!pending.req.complete && pending.req.listenerCount("error") > 0) pending.req.emit("error", error);
    // The broken bytes came behind good requests: those get their answers, and then it is over.
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

const listen = (server: Server, options: ListenOptions): Promise<AddressInfo> =>
  new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(options, () => {
      server.off("error", reject);
      resolve(server.address() as AddressInfo);
    });
  });

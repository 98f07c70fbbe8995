/**
 * Shutdown without a broken request. The listening socket closes first. From then on each answer has `Connection: close` (RFC
 * 9112, section 9.6), also the answer of a request that was in progress. An idle connection may send one more request.
 */
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import { Server as NetServer, type Socket } from "node:net";

export interface DrainOptions {
  /** Milliseconds after which the remaining connections are cut. */
  readonly graceMs: number;
  /**
   * Milliseconds for which idle connections stay open, because a request may be on its way on them. If they were closed at
   * once, clients would see resets.
   */
  readonly idleMs?: number;
}

const IDLE_MS = 1000;
/** Checks within the idle time. One check is not enough: after a stall, a connection with unread bytes looks idle. */
const CHECKS = 4;
/** Maximum number of connections that may wait in the operating system's queue when a server stops accepting. */
const MAX_QUEUED = 511;
/** Turns of the event loop without a new connection. The first turn does not count as proof: its poll phase may be over. */
const QUIET_TURNS = 3;

/** The open connections at this moment. */
export type OpenConnections = () => readonly Socket[];

/** The answer in progress; undefined: the connection has none, or has pipelined requests. */
export type OnlyAnswer = (socket: Socket) => ServerResponse | undefined;

interface Drained {
  /** Accepts the connections. */
  readonly listening: NetServer;
  /** Answers their requests. */
  readonly server: Server;
  readonly connections: OpenConnections;
  readonly onlyAnswer: OnlyAnswer;
}

export interface Drain {
  /** Stops accepting. Each answer that begins from then on is the last one of its connection. */
  stopAccepting(): Promise<void>;
  /** Stops accepting, answers the requests in progress and closes. Resolves when no connection is open. */
  drain(options: DrainOptions): Promise<void>;
}

export const createDrain = ({ listening, server, connections, onlyAnswer }: Drained): Drain => {
  let isMarking = false;
  const stop = async (): Promise<void> => {
    // This comes first: a client whose connection closes while the server listens would open a new one.
    await stopAccepting(listening);
    if (isMarking) return;
    isMarking = true;
    const markLast = lastAnswerMarker();
    server.prependListener("request", markLast).prependListener("checkContinue", markLast);
    for (const socket of connections()) {
      const answer = onlyAnswer(socket);
      if (answer !== undefined) markLast({ socket }, answer);
    }
  };
  return {
    stopAccepting: stop,
    drain: async ({ graceMs, idleMs = IDLE_MS }) => {
      await stop();
      const stopSweep = closeIdle(connections, idleMs);
      const cut = setTimeout(() => {
        for (const socket of connections()) socket.destroy();
      }, graceMs);
      await allClosed(connections);
      stopSweep();
      clearTimeout(cut);
    },
  };
};

/**
 * Returns a function that closes some connections of a server without a broken request, as `drain` does. One timer and one set of
 * listeners serve all its calls, and only while such a connection is open.
 */
export const createConnectionCloser = (
  server: Server,
  idleMs: number,
): ((sockets: readonly Socket[]) => void) => {
  const open = new Set<Socket>();
  let stop: (() => void) | undefined;
  const forget = (socket: Socket): void => {
    open.delete(socket);
    if (open.size > 0) return;
    stop?.();
    stop = undefined;
  };
  return (sockets) => {
    for (const socket of sockets) {
      if (socket.closed || open.has(socket)) continue;
      open.add(socket);
      socket.once("close", () => {
        forget(socket);
      });
    }
    if (open.size > 0)
      stop ??= closeInOrder(
        server,
        () => [...open],
        idleMs,
        (socket) => open.has(socket),
      );
  };
};

/** Each of the connections gets a last answer; those without a request are closed. Returns a function that ends this. */
const closeInOrder = (
  server: Server,
  connections: OpenConnections,
  idleMs: number,
  isOne: (socket: Socket) => boolean,
): (() => void) => {
  const markLast = lastAnswerMarker(isOne);
  server.prependListener("request", markLast).prependListener("checkContinue", markLast);
  const stopClosing = closeIdle(connections, idleMs);
  return () => {
    stopClosing();
    server.off("request", markLast).off("checkContinue", markLast);
  };
};

type MarkLast = (request: Pick<IncomingMessage, "socket">, response: ServerResponse) => void;

/**
 * Marks each answer as the last one of its connection, unless another request has arrived: all pipelined requests are
 * answered.
 */
const lastAnswerMarker = (isOne: (socket: Socket) => boolean = () => true): MarkLast => {
  const marked = new WeakMap<Socket, ServerResponse>();
  return ({ socket }, response) => {
    if (!isOne(socket)) return;
    const before = marked.get(socket);
    if (before?.headersSent === false) before.setHeader("Connection", "keep-alive");
    if (!response.headersSent) response.setHeader("Connection", "close");
    marked.set(socket, response);
  };
};

/**
 * Closes connections that wait for no answer and have sent nothing for `idleMs`, counted from their last answer. Returns a
 * function that ends this.
 */
const closeIdle = (connections: OpenConnections, idleMs: number): (() => void) => {
  const seen = new WeakMap<Socket, { readonly bytesRead: number; readonly silentChecks: number }>();
  for (const socket of connections()) seen.set(socket, { bytesRead: socket.bytesRead, silentChecks: 0 });
  const check = (): void => {
    for (const socket of connections()) {
      const { bytesRead } = socket;
      const before = seen.get(socket);
      const isSilent = before?.bytesRead === bytesRead && pendingAnswer(socket) === undefined;
      const silentChecks = isSilent ? before.silentChecks + 1 : 0;
      seen.set(socket, { bytesRead, silentChecks });
      if (silentChecks >= CHECKS) socket.destroy();
    }
  };
  // Checks after the poll phase, in which the arrived bytes are read.
  const sweep = setInterval(() => setImmediate(check), idleMs / CHECKS);
  return () => {
    clearInterval(sweep);
  };
};

/** The answer that the connection waits for. It is a private property of node's sockets. */
export const pendingAnswer = (socket: Socket): ServerResponse | undefined =>
  (socket as Socket & { readonly _httpMessage?: ServerResponse | null })._httpMessage ?? undefined;

/**
 * Stops accepting connections, and resolves when no new connection can come. It is not `http.Server.close`, which would also
 * cut idle connections. Closing the socket resets the connections in the operating system's queue, and a turn of the event
 * loop accepts only one of them: so accepting goes on until several turns bring no connection.
 */
export const stopAccepting = async (server: NetServer): Promise<void> => {
  let accepted = 0;
  const count = (): void => {
    accepted += 1;
  };
  server.on("connection", count);
  for (let quiet = 0, before = 0; quiet < QUIET_TURNS && accepted < MAX_QUEUED; before = accepted) {
    await turn();
    quiet = accepted === before ? quiet + 1 : 0;
  }
  server.off("connection", count);
  NetServer.prototype.close.call(server);
};

/** Resolves after the poll phase of the event loop, in which connections are accepted. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Also waits for the connections that another process accepted, which node's own close does not do. */
const allClosed = async (connections: OpenConnections): Promise<void> => {
  for (let open = connections(); open.length > 0; open = connections()) {
    await Promise.all(
      open.map((socket) =>
        socket.closed ? turn() : new Promise((resolve) => socket.once("close", resolve)),
      ),
    );
  }
};

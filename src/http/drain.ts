/**
 * Going down without breaking a connection that somebody uses. The listening socket closes first; then each connection
 * gets to send one more request, whose answer says that it was the last (RFC 9112, section 9.6).
 */
import type { RequestListener, Server, ServerResponse } from "node:http";
import { Server as NetServer, type Socket } from "node:net";

export interface DrainOptions {
  /** Whatever is still open after this time, in milliseconds, is cut. */
  readonly graceMs: number;
  /**
   * For this long unused connections stay open, because a request may be under way on them. Closing them at once is
   * what makes clients see resets.
   */
  readonly idleMs?: number;
}

const IDLE_MS = 1000;
/** Looks within the idle time. Several of them, because a process that was stalled sees silence where bytes wait to be read. */
const LOOKS = 4;
/** Connections that may wait in the system's queue when a server stops accepting. */
const MAX_QUEUED = 511;
/** The first turn may have its poll phase behind it. */
const QUIET_TURNS = 3;

/** Resolves once the server has no connection left. `sockets` are all that are open. */
export const drain = async (
  server: Server,
  sockets: ReadonlySet<Socket>,
  { graceMs, idleMs = IDLE_MS }: DrainOptions,
): Promise<void> => {
  // First of all: a client whose connection is closed while the server still listens comes back with a new one.
  await stopAccepting(server);
  const sayLast = lastAnswers();
  server.prependListener("request", sayLast).prependListener("checkContinue", sayLast);

  const closeIdle = idleCloser(sockets);
  // Looks after the poll phase, in which what has arrived is read.
  const sweep = setInterval(() => setImmediate(closeIdle), idleMs / LOOKS);
  const cut = setTimeout(() => {
    for (const socket of sockets) socket.destroy();
  }, graceMs);
  await allClosed(sockets);
  clearInterval(sweep);
  clearTimeout(cut);
};

/**
 * Marks each answer as its connection's last, until another request turns out to follow: pipelined ones are all
 * answered.
 */
const lastAnswers = (): RequestListener => {
  const marked = new WeakMap<Socket, ServerResponse>();
  return ({ socket }, response) => {
    const before = marked.get(socket);
    if (before?.headersSent === false) before.setHeader("Connection", "keep-alive");
    response.setHeader("Connection", "close");
    marked.set(socket, response);
  };
};

/** Closes what waits for no answer and has sent nothing in the last looks. */
const idleCloser = (sockets: ReadonlySet<Socket>): (() => void) => {
  const seen = new WeakMap<Socket, { readonly bytesRead: number; readonly silentLooks: number }>();
  for (const socket of sockets) seen.set(socket, { bytesRead: socket.bytesRead, silentLooks: 0 });
  return () => {
    for (const socket of sockets) {
      const { bytesRead } = socket;
      const before = seen.get(socket);
      const silentLooks = before?.bytesRead === bytesRead ? before.silentLooks + 1 : 0;
      seen.set(socket, { bytesRead, silentLooks });
      if (silentLooks >= LOOKS && pendingAnswer(socket) === undefined) socket.destroy();
    }
  };
};

/** node keeps the answer that a connection waits for under this name, and tells it nowhere else. */
export const pendingAnswer = (socket: Socket): ServerResponse | undefined =>
  (socket as Socket & { readonly _httpMessage?: ServerResponse | null })._httpMessage ?? undefined;

/**
 * Not http's own close, which would cut the unused connections with it. Resolves once no connection comes in any more.
 * Closing resets what the system holds in its queue, and a turn of the event loop accepts only one connection: so it goes
 * on until a few turns bring none.
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

/** Resolves after the event loop's poll phase, where connections are accepted. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Those that the server was given too, for which node's own close doesn't wait. */
const allClosed = async (sockets: ReadonlySet<Socket>): Promise<void> => {
  while (sockets.size > 0) {
    await Promise.all([...sockets].map((socket) => new Promise((resolve) => socket.once("close", resolve))));
  }
};

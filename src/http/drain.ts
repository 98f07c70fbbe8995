/**
 * Going down without breaking a connection that somebody uses. The listening socket closes at once; each connection
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

/** Resolves once the server has no connection left. `sockets` are all that are open. */
export const drain = async (
  server: Server,
  sockets: ReadonlySet<Socket>,
  { graceMs, idleMs = IDLE_MS }: DrainOptions,
): Promise<void> => {
  const sayLast = lastAnswers();
  server.prependListener("request", sayLast).prependListener("checkContinue", sayLast);

  const closeIdle = idleCloser(sockets);
  const sweep = setInterval(closeIdle, idleMs);
  const cut = setTimeout(() => {
    for (const socket of sockets) socket.destroy();
  }, graceMs);
  await stopAccepting(server);
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

/** Closes what waits for no answer and has sent nothing since it was last called. */
const idleCloser = (sockets: ReadonlySet<Socket>): (() => void) => {
  const bytesRead = new Map([...sockets].map((socket) => [socket, socket.bytesRead]));
  return () => {
    for (const socket of sockets) {
      const isSilent = bytesRead.get(socket) === socket.bytesRead;
      if (isSilent && pendingAnswer(socket) === undefined) socket.destroy();
      bytesRead.set(socket, socket.bytesRead);
    }
  };
};

/** node keeps the answer that a connection waits for under this name, and tells it nowhere else. */
export const pendingAnswer = (socket: Socket): ServerResponse | undefined =>
  (socket as Socket & { readonly _httpMessage?: ServerResponse | null })._httpMessage ?? undefined;

/** Not http's own close, which would cut the unused connections with it. Resolves once no connection comes in any more. */
export const stopAccepting = (server: NetServer): Promise<void> =>
  new Promise((resolve) => {
    // After the event loop's poll phase, where connections are accepted: none is left half-way in the queue.
    setImmediate(() => {
      NetServer.prototype.close.call(server);
      resolve();
    });
  });

/** Those that the server was given too, for which node's own close doesn't wait. */
const allClosed = async (sockets: ReadonlySet<Socket>): Promise<void> => {
  while (sockets.size > 0) {
    await Promise.all([...sockets].map((socket) => new Promise((resolve) => socket.once("close", resolve))));
  }
};

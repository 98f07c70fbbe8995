/**
 * Closes a connection so that the client gets the last answer. If a socket is closed with unread bytes, the kernel sends a
 * reset, and after a reset the client's kernel discards the answer that the client has not read. So the gateway first ends its
 * own direction, and discards further input until the client closes too or the time is over.
 */
import type { Socket } from "node:net";

const LINGER_MS = 2000;

/** node's http server calls `destroySoon` after the last answer of a connection. From now on that closes it lingering. */
export const lingerOnClose = (socket: Socket): void => {
  socket.destroySoon = () => {
    closeLingering(socket);
  };
};

export const closeLingering = (socket: Socket, lastWords = ""): void => {
  if (socket.destroyed) return;
  socket.destroySoon = () => undefined;
  // An unread body has paused the socket; its own listener for `resume` goes away with the parser.
  socket.resume();
  process.nextTick(() => {
    // The parser must not get further bytes: a request that can't be answered must not be executed.
    socket.removeAllListeners("data");
    socket.on("data", () => undefined);
  });
  const timer = setTimeout(() => socket.destroy(), LINGER_MS).unref();
  socket.once("end", () => socket.destroy());
  socket.once("close", () => {
    clearTimeout(timer);
  });
  if (socket.writable) socket.end(lastWords);
};

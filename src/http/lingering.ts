/**
 * Closing a connection so that its last answer arrives. A socket that is closed with unread bytes makes the kernel
 * send a reset, and a reset makes the client's kernel forget the answer it hadn't read yet. So our side is shut first,
 * and what still comes is thrown away until the client has closed too, or until its time is up.
 */
import type { Socket } from "node:net";

const LINGER_MS = 2000;

/** node's http server ends a connection after its last answer by `destroySoon`: from here on, it lingers instead. */
export const lingerOnClose = (socket: Socket): void => {
  socket.destroySoon = () => {
    closeLingering(socket);
  };
};

export const closeLingering = (socket: Socket, lastWords = ""): void => {
  if (socket.destroyed) return;
  socket.destroySoon = () => undefined;
  // A body that nobody reads has stopped the socket. What starts it again listens for this, and goes with the parser.
  socket.resume();
  process.nextTick(() => {
    // The parser must not see what comes now: a request that can't be answered shall not be carried out.
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

/**
 * The last answer of a connection, also where Express has no request, and the close after it. A closed socket with unread bytes
 * makes the kernel send a reset, and after a reset the client's kernel discards the answer that the client has not read. So
 * the gateway first ends its own direction and discards further input until the client closes too, at most for 2 seconds.
 */
import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import type { GatewayError } from "../errors.ts";
import { problemDocument } from "./families.ts";

const LINGER_MS = 2000;

/** Makes node's http server close this connection as `closeLingering` does. It calls `destroySoon` after the last answer. */
export const lingerOnClose = (socket: Socket): void => {
  socket.destroySoon = () => {
    closeLingering(socket);
  };
};

/** Sends the last bytes and closes. `answer` is empty if the last answer is already on its way. */
export const closeLingering = (socket: Socket, answer = ""): void => {
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
  if (socket.writable) socket.end(answer);
};

/** The answer as bytes: a problem document with the headers of the error. */
export const rawAnswer = (error: GatewayError): string => {
  const document = problemDocument(error, randomUUID());
  const body = JSON.stringify(document);
  const head = [
    `HTTP/1.1 ${error.status} ${String(document["title"])}`,
    "Content-Type: application/problem+json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
    ...Object.entries(error.headers).map(([name, value]) => `${name}: ${value}`),
  ];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
};

/**
 * Bounds the memory of partial request heads. node's parser keeps their bytes, up to `server.maxHeaderSize` for each
 * connection, and `limits.memory` doesn't count them: 30,000 connections with 15 KiB each would hold 620 MiB until
 * `server.headersTimeout`. Above the bound, the connections whose heads began first are closed.
 *
 * Only node's own list of connections tells a partial head from an idle connection. Its key is a private symbol, the same in
 * node 18 to 24. Without it only `server.headersTimeout` limits these connections.
 */
import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";
import { GatewayError } from "../errors.ts";
import { rawAnswer } from "./last-answer.ts";

export interface UnreadHeadLimits {
  /** Maximum bytes of all partial heads; each counts as `maxHeaderSize`. */
  readonly maxBytes: () => number;
  readonly maxHeaderSize: number;
  /** Number of open connections. */
  readonly connections: () => number;
}

/** A parser of node's http server. `incoming` is the newest request whose head is complete. */
interface Parser {
  readonly socket?: Socket | null;
  readonly incoming?: IncomingMessage | null;
}

/** Parsers within a message, in the order in which the messages began. */
interface ConnectionsList {
  active(): readonly Parser[];
}

/** Milliseconds between two checks. They run while there are more connections than allowed partial heads. */
const INTERVAL_MS = 100;

export const limitUnreadHeads = (server: Server, limits: UnreadHeadLimits): void => {
  const most = (): number => Math.max(1, Math.floor(limits.maxBytes() / limits.maxHeaderSize));
  let timer: NodeJS.Timeout | undefined;

  const check = (): void => {
    timer = undefined;
    const partial = (connectionsOf(server)?.active() ?? []).filter(hasPartialHead);
    for (const { socket } of partial.slice(0, Math.max(0, partial.length - most()))) refuse(socket);
    checkLater();
  };

  const checkLater = (): void => {
    if (limits.connections() > most()) timer ??= setTimeout(check, INTERVAL_MS).unref();
  };

  server.on("connection", checkLater);
};

const connectionsOf = (server: Server): ConnectionsList | undefined => {
  const key = Object.getOwnPropertySymbols(server).find(
    ({ description }) => description === "http.server.connections",
  );
  return key === undefined ? undefined : (server as unknown as Record<symbol, ConnectionsList>)[key];
};

const hasPartialHead = ({ socket, incoming }: Parser): boolean =>
  socket?.writable === true && (incoming == null || incoming.complete);

const refuse = (socket: Socket | null | undefined): void => {
  const message =
    "Too many connections have sent only a part of their headers. Send the request again later.";
  const error = new GatewayError("OVERLOADED", { message, headers: { "Retry-After": "1" } });
  socket?.end(rawAnswer(error), () => socket.destroy());
};

/**
 * Pipelined requests, few at a time: of one connection the gateway works on no more than a handful of requests, and only a
 * few connections have some begun in the same turn of the event loop. Beyond that it stops parsing the connection, whose next
 * requests stay bytes until it is their turn (`src/http/parse-again.ts`). node's http server alone parses and hands on all
 * requests that it has read: some 1,500 of each connection in one turn, whether or not the client takes an answer.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { LoopTurns } from "../lib/loop-turns.ts";
import { pendingAnswer } from "./drain.ts";

/** Requests of one connection that are worked on at the same time. */
const MAX_ACTIVE = 8;

/** A connection that has pipelined requests. */
interface Line {
  /** Answers that it waits for. */
  readonly active: Set<ServerResponse>;
  /** The turn of the event loop in which its pipelined requests may begin. */
  turn: number | undefined;
}

export interface Pipeline {
  /** Wraps a listener of requests so that a connection is not parsed beyond the first few. */
  readonly follow: (listener: RequestListener) => RequestListener;
  /** A connection has got a new parser. */
  readonly hasNewParser: (socket: Socket) => void;
}

export const createPipeline = (turns: LoopTurns): Pipeline => {
  const lines = new WeakMap<Socket, Line>();

  const hasTurn = (line: Line): boolean => {
    if (line.turn !== turns.number) line.turn = turns.tryBegin() ? turns.number : undefined;
    return line.turn !== undefined;
  };

  const limit = (socket: Socket, line: Line): void => {
    stopParserUnless(socket, () => {
      const isPipelined = pendingAnswer(socket) !== undefined;
      return !isPipelined || (line.active.size < MAX_ACTIVE && hasTurn(line));
    });
  };

  const openLine = (socket: Socket): Line => {
    const line: Line = { active: new Set(), turn: undefined };
    lines.set(socket, line);
    socket.once("close", () => {
      for (const response of line.active) closeUnsent(response);
    });
    limit(socket, line);
    return line;
  };

  return {
    follow: (listener) => (request, response) => {
      // A response has the socket from its birth, unless others are to be sent before it.
      if (response.socket === null) {
        const line = lines.get(request.socket) ?? openLine(request.socket);
        // The answer in front was no pipelined request's, so it is not in the line yet.
        if (line.active.size === 0) enter(line, pendingAnswer(request.socket));
        enter(line, response);
      }
      listener(request, response);
    },
    hasNewParser: (socket) => {
      const line = lines.get(socket);
      if (line === undefined) return;
      // It has been parsed again because this is its turn.
      line.turn = turns.number;
      limit(socket, line);
    },
  };
};

const enter = ({ active }: Line, response: ServerResponse | undefined): void => {
  if (response === undefined) return;
  active.add(response);
  response.once("finish", () => active.delete(response));
};

/** Up to node 20 an answer that waits for others never hears that its connection has closed. */
const closeUnsent = (response: ServerResponse): void => {
  if (response.closed) return;
  response.destroy();
  // The name under which node keeps what `closed` says.
  Object.assign(response, { _closed: true });
  response.emit("close");
};

/** What node's parser calls for each request. 2: the parser stops behind the headers, and the request is an upgrade. */
type OnIncoming = (request: IncomingMessage & { upgrade?: boolean | null }, keepAlive: boolean) => number;

/**
 * The first request that may not begin goes to the server's "upgrade" event, with what was read behind its headers, as an
 * offer to upgrade does; node has no other way to stop a parser within what has been read.
 */
const stopParserUnless = (socket: Socket, mayBegin: () => boolean): void => {
  const { parser } = socket as Socket & { readonly parser?: { onIncoming?: OnIncoming | null } | null };
  const onIncoming = parser?.onIncoming;
  if (parser == null || onIncoming == null) return;
  parser.onIncoming = (request, keepAlive) => {
    if (mayBegin()) return onIncoming(request, keepAlive);
    request.upgrade = true;
    return 2;
  };
};

/**
 * Limits pipelined requests. The gateway works on at most 8 requests of one connection, and only a few connections start
 * pipelined requests in the same turn of the event loop. Above that the parser of the connection stops, and the next requests
 * stay bytes until their turn (`src/http/parse-again.ts`). node's http server by itself parses all requests that it has read:
 * about 1,500 per connection in one turn, even if the client takes no answer.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import type { LoopTurns } from "../lib/event-loop.ts";
import { type OnlyAnswer, pendingAnswer } from "./drain.ts";

/** Maximum number of requests of one connection that are in progress. */
const MAX_ACTIVE = 8;

/** The state of a connection that has pipelined requests. */
interface Pipelined {
  /** The responses in progress. */
  readonly active: Set<ServerResponse>;
  /** The turn of the event loop in which its pipelined requests may start. */
  turn: number | undefined;
}

export interface Pipeline {
  /** Wraps a request listener so that the parser of a connection stops after the first pipelined requests. */
  readonly follow: (listener: RequestListener) => RequestListener;
  readonly onlyAnswer: OnlyAnswer;
  /** Call it when a connection has a new parser. */
  readonly hasNewParser: (socket: Socket) => void;
}

export const createPipeline = (turns: LoopTurns): Pipeline => {
  const connections = new WeakMap<Socket, Pipelined>();

  const hasTurn = (connection: Pipelined): boolean => {
    if (connection.turn !== turns.number) connection.turn = turns.tryBegin() ? turns.number : undefined;
    return connection.turn !== undefined;
  };

  const limit = (socket: Socket, connection: Pipelined): void => {
    stopParserUnless(socket, () => {
      const isPipelined = pendingAnswer(socket) !== undefined;
      return !isPipelined || (connection.active.size < MAX_ACTIVE && hasTurn(connection));
    });
  };

  const openConnection = (socket: Socket): Pipelined => {
    const connection: Pipelined = { active: new Set(), turn: undefined };
    connections.set(socket, connection);
    socket.once("close", () => {
      for (const response of connection.active) closeUnsent(response);
    });
    limit(socket, connection);
    return connection;
  };

  return {
    follow: (listener) => (request, response) => {
      // A response has its socket at once, unless earlier responses must be sent first.
      if (response.socket === null) {
        const connection = connections.get(request.socket) ?? openConnection(request.socket);
        // The first response was not pipelined, so it is not in the set yet.
        if (connection.active.size === 0) track(connection, pendingAnswer(request.socket));
        track(connection, response);
      }
      listener(request, response);
    },
    onlyAnswer: (socket) =>
      (connections.get(socket)?.active.size ?? 0) > 0 ? undefined : pendingAnswer(socket),
    hasNewParser: (socket) => {
      const connection = connections.get(socket);
      if (connection === undefined) return;
      // `turns.later` has called this function, so this connection already has one of the steps of this turn.
      connection.turn = turns.number;
      limit(socket, connection);
    },
  };
};

const track = ({ active }: Pipelined, response: ServerResponse | undefined): void => {
  if (response === undefined) return;
  active.add(response);
  response.once("finish", () => active.delete(response));
};

/** Up to node 20 a response that waits for earlier ones gets no `close` when its connection closes. */
const closeUnsent = (response: ServerResponse): void => {
  if (response.closed) return;
  response.destroy();
  // node's private field behind `closed`.
  Object.assign(response, { _closed: true });
  response.emit("close");
};

/** node's parser calls it for each request. The result 2 stops the parser after the headers, as for an upgrade. */
type OnIncoming = (request: IncomingMessage & { upgrade?: boolean | null }, keepAlive: boolean) => number;

/**
 * Stops the parser at the first request that may not start. The request goes to the "upgrade" event with the bytes after its
 * headers. node has no other way to stop a parser within a chunk.
 */
const stopParserUnless = (socket: Socket, mayStart: () => boolean): void => {
  const { parser } = socket as Socket & { readonly parser?: { onIncoming?: OnIncoming | null } | null };
  const onIncoming = parser?.onIncoming;
  if (parser == null || onIncoming == null) return;
  parser.onIncoming = (request, keepAlive) => {
    if (mayStart()) return onIncoming(request, keepAlive);
    request.upgrade = true;
    return 2;
  };
};

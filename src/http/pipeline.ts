/**
 * Pipelined requests, few at a time: of one connection the gateway works on no more than a handful of requests, and the
 * next one begins when an answer has left. node's http server hands on all requests that it finds in what it has read,
 * some thousand of them, whether or not the client takes an answer.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import type { Socket } from "node:net";
import { GatewayError } from "../errors.ts";
import { createFifo, type Fifo } from "../lib/fifo.ts";
import {
  createYieldingMemory,
  type Holder,
  type MemoryBudget,
  type YieldingMemory,
} from "../lib/memory-budget.ts";
import { pendingAnswer } from "./drain.ts";
import { problemDocument } from "./families.ts";

/** Requests of one connection that are worked on at the same time. */
const MAX_ACTIVE = 8;

/** With so many waiting requests a connection is not read. While it is read, the gateway notices that its client leaves. */
const MAX_WAITING = 16;

/** What a request that waits takes: node's objects and the headers. */
const REQUEST_BYTES = 6 * 1024;

/** Of the whole budget. */
const SHARE = 0.25;

interface Exchange {
  readonly request: IncomingMessage;
  readonly response: ServerResponse & { req: IncomingMessage };
  readonly listener: RequestListener;
}

/** The requests of a connection. */
interface Line extends Holder {
  active: number;
  readonly waiting: Fifo<Exchange>;
  isRefused: boolean;
  /** An answer has left. */
  readonly advance: () => void;
}

/**
 * Wraps a listener so that it gets the requests of a connection when it is their turn. Waiting requests take memory. When
 * their share is used up, the connection whose answers have not left for the longest time is cut; a connection that can't
 * have more has OVERLOADED as its last answer.
 */
export const createPipeline = (budget: MemoryBudget): ((listener: RequestListener) => RequestListener) => {
  const memory = createYieldingMemory(budget.part(Math.floor(budget.maxBytes * SHARE)));
  const lines = new WeakMap<Socket, Line>();

  const lineOf = (socket: Socket): Line => {
    const line = lines.get(socket) ?? openLine(socket, memory);
    lines.set(socket, line);
    // The answer in front was no pipelined request's, so it is not counted yet.
    if (line.active === 0) watch(line, pendingAnswer(socket));
    return line;
  };

  return (listener) => (request, response) => {
    // A response has the socket from its birth, unless others are to be sent before it.
    if (response.socket !== null) {
      listener(request, response);
      return;
    }
    const { socket } = request;
    const line = lineOf(socket);
    if (line.isRefused) socket.destroy();
    else if (line.active < MAX_ACTIVE) begin(line, { request, response, listener });
    else if (memory.tryTake(REQUEST_BYTES, line)) wait(line, socket, memory, { request, response, listener });
    else refuse(line, response);
  };
};

const watch = (line: Line, response: ServerResponse | undefined): void => {
  if (response === undefined) return;
  line.active += 1;
  response.once("finish", line.advance);
};

const begin = (line: Line, { request, response, listener }: Exchange): void => {
  watch(line, response);
  listener(request, response);
};

const wait = (line: Line, socket: Socket, memory: YieldingMemory, exchange: Exchange): void => {
  if (line.waiting.size === 0) memory.began(line);
  line.waiting.push(exchange);
  if (line.waiting.size >= MAX_WAITING) socket.pause();
};

const openLine = (socket: Socket, memory: YieldingMemory): Line => {
  const waiting = createFifo<Exchange>();
  const leave = (): void => {
    memory.ended(line);
    while (waiting.shift() !== undefined) memory.give(REQUEST_BYTES);
  };
  const line: Line = {
    active: 0,
    waiting,
    isRefused: false,
    yieldMemory: () => {
      leave();
      socket.destroy();
    },
    advance: () => {
      line.active -= 1;
      const next = waiting.shift();
      if (next === undefined) return;
      memory.give(REQUEST_BYTES);
      // Connections whose answers don't leave give way before this one.
      memory.ended(line);
      if (waiting.size > 0) memory.began(line);
      if (waiting.size < MAX_WAITING) socket.resume();
      begin(line, next);
    },
  };
  socket.once("close", leave);
  // node starts to read again on its own account, for instance when an answer has left.
  socket.on("resume", () => {
    if (waiting.size >= MAX_WAITING) socket.pause();
  });
  return line;
};

const refuse = (line: Line, response: ServerResponse): void => {
  line.isRefused = true;
  const error = new GatewayError("OVERLOADED", {
    message: "The memory for pipelined requests is used up (limits.memory). Send the request again later.",
  });
  response.writeHead(error.status, {
    "Content-Type": "application/problem+json",
    "Retry-After": "1",
    Connection: "close",
  });
  response.end(JSON.stringify(problemDocument(error, "")));
};

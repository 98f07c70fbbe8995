/**
 * Parses a request for the second time, because node's parser stopped at it. This happens after the earlier responses of the
 * connection are sent. There are two kinds of such requests:
 *
 * - Pipelined requests above the limit (`src/http/pipeline.ts`). Their bytes count in the memory budget until they are
 *   parsed again.
 * - Requests that offer an upgrade, such as `Upgrade: h2c` of Java's HTTP client. A server may ignore the offer (RFC 9110, 7.8).
 *   But node's parser treats the bytes after such headers as another protocol and reports no broken chunk and no incomplete
 *   body. So the request is parsed again without the offer.
 */
import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";
import { GatewayError } from "../errors.ts";
import type { LoopTurns } from "../lib/event-loop.ts";
import { createYieldingMemory, type Holder, type MemoryBudget } from "../lib/memory-budget.ts";
import { pendingAnswer } from "./drain.ts";
import { closeLingering, rawAnswer } from "./last-answer.ts";

/** Fraction of the budget for bytes that wait to be parsed. */
const SHARE = 0.25;

/** Bytes that a socket reads ahead while nothing consumes them. */
const READ_AHEAD = 64 * 1024;

export interface ParseAgainOptions {
  readonly server: Server;
  readonly memory: MemoryBudget;
  readonly turns: LoopTurns;
  readonly onNewParser: (socket: Socket) => void;
}

/**
 * A listener of the server's "upgrade" event. `rest` holds the bytes after the headers. If the memory is used up, the
 * connection whose bytes have waited longest is closed. If this does not free enough bytes, the new request gets OVERLOADED.
 */
export const parseAgain = ({ server, memory, turns, onNewParser }: ParseAgainOptions) => {
  const share = createYieldingMemory(memory.part(() => Math.floor(memory.maxBytes * SHARE)));
  const listened = new WeakSet<Socket>();

  return (request: IncomingMessage, socket: Socket, rest: Buffer): void => {
    if (!listened.has(socket)) socket.on("error", () => socket.destroy());
    listened.add(socket);
    const head = headWithoutOffer(request);
    const bytes = head.length + rest.length + READ_AHEAD;
    const holder: Holder = {
      yieldMemory: () => {
        release();
        socket.destroy();
      },
    };
    const release = (): void => {
      socket.off("close", release);
      share.ended(held);
      share.give(bytes);
    };
    if (!share.tryTake(bytes, holder)) {
      whenAnswered(socket, () => {
        closeLingering(socket, rawAnswer(outOfMemory()));
      });
      return;
    }
    const held = share.began(holder);
    socket.once("close", release);
    whenAnswered(socket, () => {
      turns.later(() => {
        if (socket.destroyed) return;
        release();
        // Clears the idle timeout that node set for the old parser.
        socket.setTimeout(0);
        if (rest.length > 0) socket.unshift(rest);
        socket.unshift(head);
        server.emit("connection", socket);
        onNewParser(socket);
      });
    });
  };
};

/** Calls `serve` when no response is in progress, if the connection is still open for another one. */
export const whenAnswered = (socket: Socket, serve: () => void): void => {
  const pending = pendingAnswer(socket);
  if (pending !== undefined) {
    pending.once("close", () => {
      whenAnswered(socket, serve);
    });
  } else if (!socket.destroyed && !socket.writableEnded) serve();
};

const outOfMemory = (): GatewayError =>
  new GatewayError("OVERLOADED", {
    message: "The memory for pipelined requests is used up (limits.memory). Send the request again later.",
    headers: { "Retry-After": "1" },
  });

/** The headers of an offer, and their names in `Connection`. */
const OFFER: ReadonlySet<string> = new Set(["upgrade", "http2-settings"]);

const headWithoutOffer = ({ method = "", url = "", httpVersion, rawHeaders }: IncomingMessage): Buffer => {
  const lines = [`${method} ${url} HTTP/${httpVersion}`];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? "";
    const value = rawHeaders[i + 1] ?? "";
    const lowerName = name.toLowerCase();
    if (OFFER.has(lowerName)) continue;
    lines.push(`${name}: ${lowerName === "connection" ? withoutOffer(value) : value}`);
  }
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
};

const withoutOffer = (options: string): string =>
  options
    .split(",")
    .filter((option) => !OFFER.has(option.trim().toLowerCase()))
    .join(",");

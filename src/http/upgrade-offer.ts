/**
 * Offers to upgrade a connection, such as `Upgrade: h2c` of Java's HTTP client, change nothing (RFC 9110 7.8 lets a
 * server ignore them). But node's parser takes what follows the headers of such a request for another protocol: it
 * reports no broken chunk and no body that ends early. So the request is parsed once more without the offer.
 */
import type { IncomingMessage, Server } from "node:http";
import type { Socket } from "node:net";
import { pendingAnswer } from "./drain.ts";

/** A listener of the server's "upgrade" event: `head` is what was read behind the headers. */
export const declineUpgrades = (server: Server) => {
  const listened = new WeakSet<Socket>();
  return (request: IncomingMessage, socket: Socket, head: Buffer): void => {
    if (!listened.has(socket)) socket.on("error", () => socket.destroy());
    listened.add(socket);
    const serve = (): void => {
      const pending = pendingAnswer(socket);
      if (pending !== undefined) pending.once("close", serve);
      else if (!socket.destroyed) {
        socket.unshift(Buffer.concat([headWithoutOffer(request), head]));
        server.emit("connection", socket);
      }
    };
    serve();
  };
};

/** Headers that belong to an offer, and the words for them in `Connection`. */
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

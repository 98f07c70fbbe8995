/** TLS in front of an http server, which then does not listen itself: it gets the connections after their handshake. */
import type { Server } from "node:http";
import type { Server as NetServer, Socket } from "node:net";
import { createConnectionCloser } from "../drain.ts";
import { certificateOf } from "./client-certificate.ts";
import type { TlsFailure } from "./failures.ts";
import type { PemFiles } from "./secure-context.ts";
import { createTlsFront } from "./tls-front.ts";

/** TLS of one port. */
export interface ServerTls {
  readonly pem: PemFiles;
  /** A connection has ended before its handshake. */
  readonly onFailure: (reason: TlsFailure) => void;
}

interface TlsListenerOptions extends ServerTls {
  /** Milliseconds. */
  readonly handshakeTimeout: number;
  /** Connections above this number are closed without a handshake. */
  readonly maxConnections: number;
  /** Of client data. The number of handshakes in progress depends on it. */
  readonly maxBytes: () => number;
}

export interface TlsListener {
  /** Accepts the connections. */
  readonly listening: NetServer;
  /** The open connections whose handshake has not ended. */
  readonly handshakes: () => Iterable<Socket>;
  readonly renew: (pem: PemFiles) => void;
}

/**
 * One handshake may be in progress for each 32 KiB of client data: 4,096 by default. OpenSSL takes about 52 KB for each (measured
 * with 1,000 begun handshakes), in addition to the client data.
 */
const BYTES_PER_HANDSHAKE = 32 * 1024;

/** Milliseconds after which an idle connection of a removed CA is closed. */
const REMOVED_CA_IDLE_MS = 600;

/** `sockets` are the open connections of the http server. */
export const openTls = (
  server: Server,
  sockets: ReadonlySet<Socket>,
  options: TlsListenerOptions,
): TlsListener => {
  const { maxConnections, maxBytes } = options;
  let { ca } = options.pem;
  const close = createConnectionCloser(server, REMOVED_CA_IDLE_MS);
  // node checks the timeouts of a server only after this event.
  server.emit("listening");
  const front = createTlsFront({
    ...options,
    maxHandshakes: () => Math.max(1, Math.floor(maxBytes() / BYTES_PER_HANDSHAKE)),
    hasRoom: () => front.handshakes.size + sockets.size < maxConnections,
    onSecure: (socket) => {
      server.emit("connection", socket);
    },
  });
  return {
    listening: front.server,
    handshakes: () => front.handshakes.keys(),
    renew: (pem) => {
      front.renew(pem);
      if (pem.ca === ca) return;
      ca = pem.ca;
      close([...sockets].filter((socket) => certificateOf(socket) !== undefined));
    },
  };
};

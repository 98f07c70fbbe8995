/**
 * Accepts connections and does their TLS handshake. Then an http server treats them like connections without TLS.
 *
 * OpenSSL gets a connection when the head of its ClientHello has arrived. So a silent connection costs only a socket, a
 * connection that does not speak TLS is closed at its first byte, and a ClientHello can't claim a large buffer.
 */
import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type Server as TlsServer, type TLSSocket } from "node:tls";
import { createClientCertificates } from "./client-certificate.ts";
import { failureOf, faultOfHead, HEAD_BYTES, type TlsFailure } from "./failures.ts";
import { type PemFiles, tlsOptionsOf } from "./secure-context.ts";

export interface TlsFrontOptions {
  readonly pem: PemFiles;
  /** Milliseconds from the connection to the end of its handshake. */
  readonly handshakeTimeout: number;
  /** Maximum number of handshakes that OpenSSL has begun. Above it, the one that began first is closed. */
  readonly maxHandshakes: () => number;
  /** False: a new connection is closed at once. */
  readonly hasRoom: () => boolean;
  readonly onSecure: (socket: TLSSocket) => void;
  readonly onFailure: (reason: TlsFailure) => void;
}

export interface TlsFront {
  /** The listening socket. Emit `connection` for a connection that another process has accepted. */
  readonly server: Server;
  /** The keys are the open connections whose handshake has not ended. */
  readonly handshakes: ReadonlyMap<Socket, unknown>;
  /**
   * New connections use this pair, and certificates of other CAs are not trusted any more. Throws OpenSSL's error, and then
   * nothing changes.
   */
  renew(pem: PemFiles): void;
}

/** node's private link from a connection to the socket below it. */
const rawOf = (socket: TLSSocket): Socket =>
  (socket as TLSSocket & { readonly _parent?: Socket })._parent ?? socket;

export const createTlsFront = (options: TlsFrontOptions): TlsFront => {
  const { maxHandshakes, hasRoom, onSecure } = options;
  const handshakes = createHandshakes(options);
  /** The connections that OpenSSL has, those that began first at the beginning. */
  const begun = new Set<Socket>();
  const trust = createClientCertificates();

  const createSecure = (pem: PemFiles): TlsServer => {
    const server = createTlsServer({
      ...tlsOptionsOf(pem),
      requestCert: pem.clientAuth !== "none",
      rejectUnauthorized: pem.clientAuth === "required",
      ALPNProtocols: ["http/1.1"],
      // `createHandshakes` ends a handshake earlier.
      handshakeTimeout: 2 * options.handshakeTimeout,
    });
    const keepCertificate = trust(pem.ca);
    server.on("secureConnection", (socket) => {
      const raw = rawOf(socket);
      if (pem.clientAuth !== "none" && !keepCertificate(socket)) handshakes.fail(raw, "certificate refused");
      else if (handshakes.end(raw)) {
        // As node's http server accepts connections: the answer to a request whose client has ended its side can still be sent.
        socket.allowHalfOpen = true;
        onSecure(socket);
      }
    });
    server.on("tlsClientError", (error, socket) => {
      handshakes.fail(rawOf(socket), failureOf(error, socket));
    });
    return server;
  };

  const begin = (raw: Socket): void => {
    const [first] = begun;
    if (first !== undefined && begun.size >= maxHandshakes()) handshakes.fail(first, "other");
    begun.add(raw);
    secure.emit("connection", raw);
  };

  const server = createServer({ noDelay: true }, (raw) => {
    // An error closes the connection, so `close` is enough.
    raw.on("error", () => undefined);
    if (!hasRoom()) {
      raw.destroy();
      return;
    }
    handshakes.begin(raw, () => begun.delete(raw));
    readHead(raw, (fault) => {
      if (fault === undefined) begin(raw);
      else handshakes.fail(raw, fault);
    });
  });

  let secure = createSecure(options.pem);
  return {
    server,
    handshakes: handshakes.open,
    renew: (pem) => {
      secure = createSecure(pem);
    },
  };
};

interface Handshake {
  readonly timer: NodeJS.Timeout;
  readonly onEnd: () => void;
}

/** The handshakes in progress, their timers, and the reports of those that fail. */
const createHandshakes = ({
  handshakeTimeout,
  onFailure,
}: Pick<TlsFrontOptions, "handshakeTimeout" | "onFailure">) => {
  const open = new Map<Socket, Handshake>();

  /** Returns false if the handshake has ended before. */
  const end = (raw: Socket): boolean => {
    const handshake = open.get(raw);
    clearTimeout(handshake?.timer);
    handshake?.onEnd();
    return open.delete(raw);
  };
  const fail = (raw: Socket, reason: TlsFailure): void => {
    if (!end(raw)) return;
    onFailure(reason);
    raw.destroy();
  };

  return {
    open,
    end,
    fail,
    begin: (raw: Socket, onEnd: () => void): void => {
      const timer = setTimeout(fail, handshakeTimeout, raw, "timeout").unref();
      open.set(raw, { timer, onEnd });
      raw.once("close", () => {
        // node reports the reason after the close. Without a byte the connection is a probe of a load balancer, or a scan.
        setImmediate(() => {
          if (raw.bytesRead > 0) fail(raw, "other");
          else end(raw);
        });
      });
    },
  };
};

/** Calls `read` when the head of a ClientHello has arrived or the first bytes have a fault. The bytes can be read again. */
const readHead = (raw: Socket, read: (fault: TlsFailure | undefined) => void): void => {
  let head = Buffer.alloc(0);
  const look = (): void => {
    const chunk = raw.read() as Buffer | null;
    if (chunk === null) return;
    head = Buffer.concat([head, chunk]);
    const fault = faultOfHead(head);
    if (fault === undefined && head.length < HEAD_BYTES) return;
    raw.off("readable", look);
    raw.unshift(head);
    read(fault);
  };
  raw.on("readable", look);
  raw.once("end", () => raw.destroy());
};

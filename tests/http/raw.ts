/** A raw connection, for bytes that no HTTP client sends. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { connect as connectTls, type ConnectionOptions, type TLSSocket } from "node:tls";

export interface RawConnection<S extends Socket = Socket> {
  readonly socket: S;
  /** All received text. */
  readonly received: () => string;
  /** Resolves once the text has been received; rejects when the connection ends without it. */
  readonly until: (text: string) => Promise<string>;
  /** Resolves with all received text when the server has closed; rejects on a reset. */
  readonly closed: () => Promise<string>;
}

export const openRaw = async (port: number): Promise<RawConnection> => {
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  await once(socket, "connect");
  return watch(socket);
};

/** Resolves after the handshake; rejects if it fails. */
export const openTls = async (
  port: number,
  options: ConnectionOptions,
): Promise<RawConnection<TLSSocket>> => {
  const socket = connectTls({ port, host: "127.0.0.1", servername: "localhost", ...options });
  const connection = watch(socket);
  await once(socket, "secureConnect");
  return connection;
};

const watch = <S extends Socket>(socket: S): RawConnection<S> => {
  let data = "";
  let ended = false;
  let failure: Error | undefined;
  const watchers = new Set<() => void>();
  const wake = (): void => {
    for (const watcher of watchers) watcher();
  };
  socket.on("data", (chunk: Buffer) => {
    data += chunk.toString("latin1");
    wake();
  });
  socket.on("error", (error) => {
    failure = error;
    wake();
  });
  socket.on("end", () => {
    ended = true;
    socket.end();
    wake();
  });

  const when = (isThere: () => boolean): Promise<string> =>
    new Promise((resolve, reject) => {
      const check = (): void => {
        if (!isThere() && failure === undefined && !ended) return;
        watchers.delete(check);
        if (isThere()) resolve(data);
        else reject(failure ?? new Error(`connection ended after: ${data}`));
      };
      watchers.add(check);
      check();
    });

  return {
    socket,
    received: () => data,
    until: (text) => when(() => data.includes(text)),
    closed: () => when(() => ended),
  };
};

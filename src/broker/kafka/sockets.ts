/** The sockets of kafkajs. */
import { connect, isIP } from "node:net";
import { connect as connectTls } from "node:tls";
import type { ISocketFactory } from "kafkajs";

const KEEP_ALIVE = 60_000;

/**
 * As kafkajs makes them, but that one which was ended is closed after so many milliseconds: kafkajs waits for the other
 * side, and a broker that is frozen keeps every socket that was given up on.
 */
export const createSocketFactory =
  (secure: boolean, linger: number): ISocketFactory =>
  ({ host, port, ssl, onConnect }) => {
    const socket = secure
      ? connectTls(
          { host, port, ...(isIP(host) === 0 ? { servername: host } : undefined), ...ssl },
          onConnect,
        )
      : connect({ host, port }, onConnect);
    socket.setKeepAlive(true, KEEP_ALIVE);
    const end = socket.end.bind(socket);
    socket.end = () => {
      setTimeout(() => socket.destroy(), linger).unref();
      return end();
    };
    return socket;
  };

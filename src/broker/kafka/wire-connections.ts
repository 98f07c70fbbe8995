/** One connection of @platformatic/kafka to each broker, opened when it is needed, and anew after a fault. */
import { isIP } from "node:net";
import { Connection } from "@platformatic/kafka";
import { tlsOf } from "./client.ts";
import type { KafkaOptions } from "./options.ts";

export interface Address {
  readonly host: string;
  readonly port: number;
}

export interface Connections {
  /** Rejects when none can be had; nothing has been sent then. */
  to(address: Address): Promise<Connection>;
  /** Cuts a connection that can't be trusted any more: what waits for an answer on it fails. */
  discard(connection: Connection): void;
  close(): Promise<void>;
}

/** Requests on one connection without an answer: ours come one a topic, so this is no bound but a large number. */
const MAX_IN_FLIGHT = 10_000;
/** An attempt that has failed speaks for so many milliseconds: many topics together don't storm a broker that is away. */
const RECONNECT_PAUSE = 100;
const KEEP_ALIVE = 60_000;

export const nameOf = ({ host, port }: Address): string => `${host}:${port}`;

const connectionOptions = ({ connectTimeout, requestTimeout, ssl, sasl }: KafkaOptions, host: string) => ({
  connectTimeout,
  requestTimeout,
  maxInflights: MAX_IN_FLIGHT,
  // RFC 6066 allows no addresses as server names.
  ...(ssl === undefined ? undefined : { tls: tlsOf(ssl), tlsServerName: isIP(host) === 0 }),
  ...(sasl === undefined
    ? undefined
    : {
        sasl: {
          mechanism: sasl.mechanism.toUpperCase() as "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512",
          username: sasl.username,
          password: sasl.password,
        },
      }),
});

const discard = (connection: Connection): void => {
  connection.socket.destroy();
};

/** Not while it authenticates once more: a broker takes nothing else then, and hangs up. */
const isUsable = (connection: Connection): boolean =>
  connection.isConnected() && !connection.socket.destroyed;

export const createConnections = (options: KafkaOptions): Connections => {
  const byName = new Map<string, Promise<Connection>>();
  let closed = false;

  const connect = async ({ host, port }: Address): Promise<Connection> => {
    if (closed) throw new TypeError("the connections are closed");
    const connection = new Connection(options.clientId, connectionOptions(options, host));
    connection.on("error", () => {
      discard(connection);
    });
    await connection.connect(host, port);
    connection.socket.setKeepAlive(true, KEEP_ALIVE);
    return connection;
  };

  const open = (address: Address): Promise<Connection> => {
    const name = nameOf(address);
    const opening = connect(address);
    byName.set(name, opening);
    const forget = (): void => {
      if (byName.get(name) === opening) byName.delete(name);
    };
    opening.then(
      (connection) => connection.once("close", forget),
      () => setTimeout(forget, RECONNECT_PAUSE).unref(),
    );
    return opening;
  };

  return {
    to: async (address) => {
      const known = byName.get(nameOf(address));
      if (known === undefined) return open(address);
      const connection = await known;
      if (isUsable(connection)) return connection;
      // What is under way on it has its time to end.
      setTimeout(discard, options.requestTimeout, connection).unref();
      const replaced = byName.get(nameOf(address));
      return replaced === undefined || replaced === known ? open(address) : replaced;
    },
    discard,
    close: async () => {
      closed = true;
      const opened = await Promise.allSettled(byName.values());
      for (const result of opened) if (result.status === "fulfilled") discard(result.value);
    },
  };
};

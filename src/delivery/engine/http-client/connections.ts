/**
 * Kept connections to endpoints. Each connection carries one request at a time.
 *
 * RFC 9110, 15.2: any number of 1xx answers may precede the final answer, and a client must skip them. undici (7.30)
 * breaks the connection at a 100 that it did not ask for. Therefore they are removed before undici reads them. A 101 is
 * kept, because another protocol would follow it.
 */
import { isIP, type Socket } from "node:net";
import { buildConnector, Client } from "undici";
import { targetRefused, type Targets } from "../targets.ts";
import type { Transport } from "../transport.ts";
import { throughProxy, tunnel } from "./proxy.ts";

export interface ConnectionOptions extends Pick<Transport, "tls" | "proxy"> {
  readonly targets: Targets;
  /** Milliseconds; 0: no limit. */
  readonly connectTimeoutMs: number;
  /** Default: true. */
  readonly checkCertificate?: boolean | undefined;
}

export interface Connection {
  /** Connects on first use, and again after its socket was closed. */
  readonly client: Client;
  /** Bytes read from the current socket. 0: there is no socket yet. */
  readonly bytesRead: number;
  /** Number of answers read from the current socket. */
  answered: number;
  /** Call it when writing of a request begins. */
  expectAnswer(): void;
  /** The form of a request on this connection: another one if it goes to a proxy. */
  target(path: string, headers: string[]): { path: string; headers: string[] };
}

interface Connections {
  /** Returns a free or a new connection. Release it when its request has ended. `connectTimeoutMs`: of a new connection. */
  take(origin: string, connectTimeoutMs?: number): Connection;
  release(origin: string, connection: Connection): void;
  close(): Promise<void>;
}

const plainConnector = (options: ConnectionOptions): buildConnector.connector => {
  const { targets, connectTimeoutMs, checkCertificate = true, tls = {} } = options;
  const { authorities, client, anyHostName } = tls;
  return buildConnector({
    timeout: connectTimeoutMs,
    lookup: targets.lookup,
    rejectUnauthorized: checkCertificate,
    ...(authorities !== undefined && { ca: [...authorities] }),
    ...(client !== undefined && { key: client.key, cert: client.chain }),
    ...(anyHostName === true && { checkServerIdentity: () => undefined }),
  });
};

/** If the URL's host is an address, there is no DNS lookup, so the address is checked here. */
const guardedConnector = (
  { targets }: ConnectionOptions,
  connect: buildConnector.connector,
): buildConnector.connector => {
  return (wanted, callback) => {
    const { hostname } = wanted;
    if (isIP(hostname) === 0 || targets.allows(hostname, hostname)) connect(wanted, callback);
    else callback(targetRefused(hostname), null);
  };
};

type Route = Pick<Connection, "target"> & {
  /** The origin that the client connects to. */
  readonly origin: string;
  readonly connect: buildConnector.connector;
};

/** How connections to an origin are made: directly or through the proxy. */
const routesOf = (options: ConnectionOptions): ((origin: string) => Route) => {
  const { proxy } = options;
  const connect = plainConnector(options);
  const guarded = guardedConnector(options, connect);
  if (proxy === undefined)
    return (origin) => ({ origin, connect: guarded, target: (path, headers) => ({ path, headers }) });
  const parts = { ...options, proxy, toProxy: guarded, overSocket: connect };
  return (origin) =>
    origin.startsWith("https:")
      ? { origin, connect: tunnel(parts), target: (path, headers) => ({ path, headers }) }
      : { origin: proxy.origin, ...throughProxy(parts, origin) };
};

const open = ({ origin, connect, target }: Route): Connection => {
  let socket: Socket | undefined;
  let answers: FinalAnswers | undefined;
  const connection: Connection = {
    client: new Client(origin, {
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: (wanted, callback) => {
        connect(wanted, (...outcome) => {
          // After an error there is no socket, although undici's types say so.
          if (outcome[0] === null) {
            [, socket] = outcome;
            answers = onlyFinalAnswers(socket);
            connection.answered = 0;
          }
          callback(...outcome);
        });
      },
    }),
    get bytesRead() {
      return socket?.bytesRead ?? 0;
    },
    answered: 0,
    expectAnswer: () => answers?.expectAnswer(),
    target,
  };
  return connection;
};

export const createConnections = (options: ConnectionOptions): Connections => {
  const { targets } = options;
  /** By connect time. A connector has few of them. */
  const routes = new Map<number, ReturnType<typeof routesOf>>();
  const routesWithin = (connectTimeoutMs: number): ReturnType<typeof routesOf> => {
    const made = routes.get(connectTimeoutMs) ?? routesOf({ ...options, connectTimeoutMs });
    routes.set(connectTimeoutMs, made);
    return made;
  };
  /** With the revision of the targets at which the connection was made. */
  const all = new Map<Connection, number>();
  const free = new Map<string, Connection[]>();

  const add = (origin: string, connectTimeoutMs: number): Connection => {
    const connection = open(routesWithin(connectTimeoutMs)(origin));
    all.set(connection, targets.revision);
    return connection;
  };

  /** Closes a connection from before a change of the allowed addresses. */
  const isCurrent = (connection: Connection): boolean => {
    if (all.get(connection) === targets.revision) return true;
    all.delete(connection);
    void connection.client.destroy();
    return false;
  };

  const takeFree = (origin: string): Connection | undefined => {
    const connection = free.get(origin)?.pop();
    return connection === undefined || isCurrent(connection) ? connection : takeFree(origin);
  };

  return {
    take: (origin, connectTimeoutMs = options.connectTimeoutMs) =>
      takeFree(origin) ?? add(origin, connectTimeoutMs),
    release: (origin, connection) => {
      if (!isCurrent(connection)) return;
      const others = free.get(origin);
      if (others === undefined) free.set(origin, [connection]);
      else others.push(connection);
    },
    close: async () => {
      await Promise.all([...all.keys()].map(({ client }) => client.destroy()));
    },
  };
};

const INTERIM = /^HTTP\/1\.[01] 1(?!01)\d\d/;
/** Number of characters that INTERIM checks. */
const STATUS_LENGTH = "HTTP/1.1 100".length;
const HEAD_END = "\r\n\r\n";
/** undici gets longer heads, and refuses them. */
const MAX_HEAD = 16 * 1024;

interface FinalAnswers {
  /** The next bytes that are read are the beginning of an answer. */
  expectAnswer(): void;
}

type Cut = { readonly pass: Buffer } | { readonly hold: Buffer };

/** Removes complete 1xx answers from the front. Holds back bytes that may be the beginning of a 1xx answer. */
const cutInterim = (read: Buffer): Cut => {
  let rest = read;
  while (rest.length >= STATUS_LENGTH) {
    if (!INTERIM.test(rest.toString("latin1", 0, STATUS_LENGTH))) return { pass: rest };
    const end = rest.indexOf(HEAD_END);
    if (end === -1) return rest.length > MAX_HEAD ? { pass: rest } : { hold: rest };
    rest = rest.subarray(end + HEAD_END.length);
  }
  return { hold: rest };
};

/** Call it before undici gets the socket. It replaces `socket.read()`, by which undici reads. */
const onlyFinalAnswers = (socket: Socket): FinalAnswers => {
  const read = socket.read.bind(socket) as () => Buffer | null;
  let atStart = false;
  let held: Buffer | undefined;

  socket.read = (): Buffer | null => {
    const chunk = read();
    if (!atStart || chunk === null) return chunk;
    const cut = cutInterim(held === undefined ? chunk : Buffer.concat([held, chunk]));
    if ("pass" in cut) {
      atStart = false;
      held = undefined;
      return cut.pass;
    }
    held = cut.hold;
    return null;
  };

  return {
    expectAnswer: () => {
      atStart = true;
      held = undefined;
    },
  };
};

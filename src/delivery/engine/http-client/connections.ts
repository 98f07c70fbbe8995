/** Connections to endpoints, kept and used again; each carries one request at a time. */
import { isIP, type Socket } from "node:net";
import { buildConnector, Client } from "undici";
import { targetRefused, type Targets } from "../targets.ts";

export interface ConnectionOptions {
  readonly targets: Targets;
  /** Milliseconds; 0: no limit. */
  readonly connectTimeoutMs: number;
  /** Default: true. */
  readonly checkCertificate?: boolean | undefined;
}

export interface Connection {
  /** It connects when it is first used, and anew after its socket has gone. */
  readonly client: Client;
  /** Of the present socket; 0 before there is one. */
  readonly bytesRead: number;
  /** Answers that have been read from the present socket. */
  answered: number;
  /** To be called when a request is being written. */
  expectAnswer(): void;
}

interface Connections {
  /** One that is free, or a new one; to be released when its request has ended. */
  take(origin: string): Connection;
  release(origin: string, connection: Connection): void;
  close(): Promise<void>;
}

/** A URL may name an address outright, and then nothing is looked up. */
const guardedConnector = (options: ConnectionOptions): buildConnector.connector => {
  const { targets, connectTimeoutMs, checkCertificate = true } = options;
  const connect = buildConnector({
    timeout: connectTimeoutMs,
    lookup: targets.lookup,
    rejectUnauthorized: checkCertificate,
  });
  return (wanted, callback) => {
    const { hostname } = wanted;
    if (isIP(hostname) === 0 || targets.allows(hostname, hostname)) connect(wanted, callback);
    else callback(targetRefused(hostname), null);
  };
};

const open = (origin: string, connect: buildConnector.connector): Connection => {
  let socket: Socket | undefined;
  let answers: FinalAnswers | undefined;
  const connection: Connection = {
    client: new Client(origin, {
      pipelining: 1,
      headersTimeout: 0,
      bodyTimeout: 0,
      connect: (wanted, callback) => {
        connect(wanted, (...outcome) => {
          // After an error undici leaves the socket out, whatever its types say.
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
  };
  return connection;
};

export const createConnections = (options: ConnectionOptions): Connections => {
  const connect = guardedConnector(options);
  const all = new Set<Connection>();
  const free = new Map<string, Connection[]>();

  const add = (origin: string): Connection => {
    const connection = open(origin, connect);
    all.add(connection);
    return connection;
  };

  return {
    take: (origin) => free.get(origin)?.pop() ?? add(origin),
    release: (origin, connection) => {
      const others = free.get(origin);
      if (others === undefined) free.set(origin, [connection]);
      else others.push(connection);
    },
    close: async () => {
      await Promise.all([...all].map(({ client }) => client.destroy()));
    },
  };
};

/**
 * RFC 9110, 15.2: any number of 1xx answers may precede the final one, asked for or not, and are skipped. undici (7.30)
 * breaks the connection at a 100 that it did not ask for, so it gets to read none of them. A 101 stays: it would be
 * followed by another protocol.
 */

const INTERIM = /^HTTP\/1\.[01] 1(?!01)\d\d/;
/** Length of the text that INTERIM decides on. */
const STATUS_LENGTH = "HTTP/1.1 100".length;
const HEAD_END = "\r\n\r\n";
/** Longer heads are left to undici, which refuses them. */
const LONGEST_HEAD = 16 * 1024;

interface FinalAnswers {
  /** A request is being written: what is read next is the beginning of its answer. */
  expectAnswer(): void;
}

type Cut = { readonly pass: Buffer } | { readonly hold: Buffer };

/** Removes whole 1xx answers from the front; holds back what can still become one. */
const cutInterim = (read: Buffer): Cut => {
  let rest = read;
  while (rest.length >= STATUS_LENGTH) {
    if (!INTERIM.test(rest.toString("latin1", 0, STATUS_LENGTH))) return { pass: rest };
    const end = rest.indexOf(HEAD_END);
    if (end === -1) return rest.length > LONGEST_HEAD ? { pass: rest } : { hold: rest };
    rest = rest.subarray(end + HEAD_END.length);
  }
  return { hold: rest };
};

/** To be called before undici gets the socket: it reads by `socket.read()`, which this takes the place of. */
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

/**
 * Makes each connection of a kafkajs client sign in again before its session ends (KIP-368). kafkajs renews sessions too, but
 * sends other requests between the handshake and the authentication, and then Kafka closes the connection. It also renews ten
 * seconds before the end, so a session of ten seconds or less would be renewed before each request.
 */
import type { Kafka, SASLOptions } from "kafkajs";
import { exchangeToken, isSignInRequest, RENEWED_AFTER, type SaslOptions, tokenOf } from "./sasl.ts";
import { GatewayError } from "../../../errors.ts";

/** The internal parts of kafkajs 2.2 that are used here. */
interface RequestQueue {
  readonly inflight: ReadonlyMap<number, unknown>;
  push(request: PushedRequest): void;
  createSocketRequest(request: PushedRequest): unknown;
  sendSocketRequest(request: unknown): void;
  canSendSocketRequestImmediately(): boolean;
  checkPendingRequests(): void;
  rejectAll(error: unknown): void;
}

interface PushedRequest {
  readonly entry: { readonly apiKey: number };
}

interface InternalConnection {
  readonly requestQueue: RequestQueue;
  /** Milliseconds, as a Long. */
  readonly sessionLifetime: { toNumber(): number };
  isAuthenticated(): boolean;
  sasl: unknown;
}

interface InternalCluster {
  readonly connectionPoolBuilder: {
    build(destination: unknown): Promise<{ readonly pool: readonly InternalConnection[] }>;
  };
}

/** Sends one SaslAuthenticate request. */
type SaslAuthenticate = (exchange: {
  readonly request: { encode(): Buffer };
  readonly response: { decode(raw: Buffer): Buffer; parse(raw: Buffer): Buffer };
}) => Promise<Buffer>;

const missing = (part: symbol | string): never => {
  const message = `The gateway needs kafkajs 2.2; the installed version has no ${String(part)}`;
  throw new GatewayError("INTERNAL", { message });
};

/** The private symbol of kafkajs with this description. */
const symbolIn = (object: object, description: string): symbol =>
  Object.getOwnPropertySymbols(object).find((symbol) => symbol.description === description) ??
  missing(description);

const BYTES_OF_LENGTH = 4;

/** kafkajs puts the length of the bytes before them, and expects it in requests. */
const withLength = (bytes: Buffer): Buffer => {
  const length = Buffer.alloc(BYTES_OF_LENGTH);
  length.writeInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
};

const exchangeWith =
  (saslAuthenticate: SaslAuthenticate) =>
  async (bytes: Buffer): Promise<{ readonly authBytes: Buffer }> => ({
    authBytes: await saslAuthenticate({
      request: { encode: () => withLength(bytes) },
      response: { decode: (raw) => raw.subarray(BYTES_OF_LENGTH), parse: (raw) => raw },
    }),
  });

/** The queue of one connection, which can keep its requests. */
interface Gate {
  /** From now on the queue sends only sign-in requests. Resolves when all requests in flight have ended. */
  close(): Promise<void>;
  open(): void;
}

const createGate = (queue: RequestQueue): Gate => {
  const canSend = queue.canSendSocketRequestImmediately.bind(queue);
  const checkPending = queue.checkPendingRequests.bind(queue);
  const push = queue.push.bind(queue);
  const rejectAll = queue.rejectAll.bind(queue);
  let isClosed = false;
  let drained = (): void => undefined;

  Object.assign(queue, {
    canSendSocketRequestImmediately: () => !isClosed && canSend(),
    push: (request: PushedRequest) => {
      if (isClosed && isSignInRequest(request.entry.apiKey))
        queue.sendSocketRequest(queue.createSocketRequest(request));
      else push(request);
    },
    // kafkajs calls it after each answer, and after each request without an answer in time.
    checkPendingRequests: () => {
      if (queue.inflight.size === 0) drained();
      checkPending();
    },
    rejectAll: (error: unknown) => {
      rejectAll(error);
      drained();
    },
  } satisfies Partial<RequestQueue>);

  return {
    close: () => {
      isClosed = true;
      return new Promise((resolve) => {
        drained = resolve;
        if (queue.inflight.size === 0) resolve();
      });
    },
    open: () => {
      isClosed = false;
      queue.checkPendingRequests();
    },
  };
};

/** Lets the connection send the token that `current` returns. */
const useToken = (connection: InternalConnection, current: () => string): void => {
  interface Given {
    readonly saslAuthenticate: SaslAuthenticate;
  }
  connection.sasl = {
    mechanism: "oauthbearer",
    authenticationProvider: ({ saslAuthenticate }: Given) => ({
      authenticate: () => exchangeToken(current(), exchangeWith(saslAuthenticate)),
    }),
  };
};

/** One sign-in at a time runs on the connection, with its gate closed. */
const guard = (connection: InternalConnection, sasl: SaslOptions): void => {
  const { requestQueue: queue } = connection;
  const gate = createGate(queue);
  const authenticate = symbolIn(connection, "private:Connection:authenticate");
  const internal = connection as unknown as Record<symbol, () => Promise<void>>;
  const signIn = internal[authenticate] ?? missing(authenticate);
  let token = "";
  let running: Promise<void> | undefined;
  if (sasl.mechanism === "oauthbearer") useToken(connection, () => token);

  const run = async (): Promise<void> => {
    if (connection.isAuthenticated()) return;
    token = (await tokenOf(sasl)) ?? "";
    try {
      await gate.close();
      await signIn();
    } catch (error) {
      // Kafka closes the connection.
      queue.rejectAll(error);
      throw error;
    } finally {
      gate.open();
    }
  };
  internal[authenticate] = () =>
    (running ??= run().finally(() => {
      running = undefined;
    }));
  Object.defineProperty(connection, "reauthenticationThreshold", {
    get: () => Math.floor(connection.sessionLifetime.toNumber() * (1 - RENEWED_AFTER)),
  });
};

/** The setting of kafkajs. It creates its connections with it, and `signInWith` changes them. */
export const saslSettingOf = (sasl: SaslOptions): SASLOptions =>
  sasl.mechanism === "oauthbearer"
    ? { mechanism: "oauthbearer", oauthBearerProvider: async () => ({ value: await sasl.token() }) }
    : { ...sasl };

/** Throws INTERNAL if an internal part of the client is missing, as in another version of kafkajs. */
export const signInWith = (kafka: Kafka, sasl: SaslOptions): void => {
  const createCluster = symbolIn(kafka, "private:Kafka:createCluster");
  const internal = kafka as unknown as Record<symbol, (options: unknown) => InternalCluster>;
  const create = internal[createCluster] ?? missing(createCluster);
  internal[createCluster] = (options) => {
    const cluster = create(options);
    const builder = cluster.connectionPoolBuilder;
    const build = builder.build.bind(builder);
    builder.build = async (destination) => {
      const pool = await build(destination);
      for (const connection of pool.pool) guard(connection, sasl);
      return pool;
    };
    return cluster;
  };
};

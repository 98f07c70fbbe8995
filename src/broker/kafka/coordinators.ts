/** Requests to the coordinators of groups: the brokers that keep the groups' members and positions. */
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { type Connection, ResponseError } from "./client-library.ts";
import { GatewayError } from "../../errors.ts";
import { type KafkaOptions, settledWithin } from "./options.ts";
import type { GatedConnection } from "./sign-in/gated-connection.ts";
import { type Address, createConnections, openConnection, type WireCluster } from "./wire-cluster.ts";

/** Another broker is the group's coordinator now, the coordinator is starting, or a transaction with offsets is ending. */
const PASSING = [
  "NOT_COORDINATOR",
  "COORDINATOR_LOAD_IN_PROGRESS",
  "COORDINATOR_NOT_AVAILABLE",
  "UNSTABLE_OFFSET_COMMIT",
];
const RETRY_PAUSE_MS = 250;

/** The Kafka error names in the broker's answer; empty: no answer. */
export const refusalsOf = (error: unknown): readonly string[] => {
  if (!(error instanceof ResponseError)) return [];
  return (error.errors as readonly { readonly apiId?: string }[]).map(({ apiId = "" }) => apiId);
};

/** The first Kafka error name in the broker's answer; empty: no answer. */
export const refusalOf = (error: unknown): string => refusalsOf(error)[0] ?? "";

const isPassing = (error: unknown): boolean => refusalsOf(error).some((name) => PASSING.includes(name));

/** Finds the coordinator of a group. Lookups of the same turn of the event loop share one request. */
const createLookup = (cluster: Pick<WireCluster, "coordinators">): ((group: string) => Promise<Address>) => {
  let batch:
    { readonly groups: string[]; readonly answer: Promise<ReadonlyMap<string, Address>> } | undefined;

  const ask = () => {
    const groups: string[] = [];
    const answer = nextTurn().then(() => {
      batch = undefined;
      return cluster.coordinators(groups);
    });
    return { groups, answer };
  };

  return async (group) => {
    batch ??= ask();
    batch.groups.push(group);
    const coordinator = (await batch.answer).get(group);
    if (coordinator === undefined) throw new GatewayError("BROKER_UNAVAILABLE");
    return coordinator;
  };
};

/** `timeoutMs`: the time that is left for the request. */
export type CoordinatorRequest<T> = (coordinator: Address, timeoutMs: number) => Promise<T>;

export interface Coordinators {
  /**
   * Runs the request at the group's coordinator. If the broker is not the coordinator or not ready, or the offsets are
   * not stable, looks the coordinator up and runs the request again, until the request timeout. Rejects as the request does.
   */
  ask<T>(group: string, request: CoordinatorRequest<T>): Promise<T>;
  /** Removes the cached coordinator of a group that is no longer used. */
  forget(group: string): void;
}

/** The coordinators are cached until a request fails. */
export const createCoordinators = (
  { requestTimeout }: Pick<KafkaOptions, "requestTimeout">,
  cluster: Pick<WireCluster, "coordinators">,
): Coordinators => {
  const lookUp = createLookup(cluster);
  const known = new Map<string, Promise<Address>>();

  const askOnce = async <T>(group: string, request: CoordinatorRequest<T>, until: number): Promise<T> => {
    const coordinator = known.get(group) ?? lookUp(group);
    known.set(group, coordinator);
    try {
      const address = await settledWithin(until - performance.now(), coordinator);
      return await request(address, until - performance.now());
    } catch (error) {
      if (known.get(group) === coordinator) known.delete(group);
      throw error;
    }
  };

  return {
    ask: async (group, request) => {
      let until = performance.now() + requestTimeout;
      for (;;) {
        try {
          return await askOnce(group, request, until);
        } catch (error) {
          const now = performance.now();
          // A join waits for other members and has a longer time limit of its own, so it can end after `until`. Its retry
          // gets a new request timeout.
          if (now > until) until = now + requestTimeout;
          if (!isPassing(error) || now + RETRY_PAUSE_MS > until) throw error;
        }
        await sleep(RETRY_PAUSE_MS);
      }
    },
    forget: (group) => {
      known.delete(group);
    },
  };
};

export interface ConnectionPool {
  /** Runs the request on a connection to the broker. Discards the connection if it gets no answer in time. */
  use<T>(address: Address, timeoutMs: number, request: (connection: Connection) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

/**
 * At most `size` connections to each broker. A request uses the connection with the fewest requests in flight; of several
 * such connections, the first. So with few requests only the first connection is used, and Kafka closes idle connections.
 */
export const createConnectionPool = (options: KafkaOptions, size: number): ConnectionPool => {
  const pool = Array.from({ length: size }, () => ({ ...createConnections(options), busy: 0 }));

  return {
    use: async (address, timeoutMs, request) => {
      const slot = pool.reduce((one, other) => (other.busy < one.busy ? other : one));
      slot.busy += 1;
      try {
        const connection = await settledWithin(timeoutMs, slot.to(address));
        return await settledWithin(timeoutMs, request(connection)).catch((error: unknown) => {
          // A late answer would arrive when the client no longer expects it.
          if (!(error instanceof ResponseError)) slot.discard(connection);
          throw error;
        });
      } finally {
        slot.busy -= 1;
      }
    },
    close: async () => {
      await Promise.all(pool.map((slot) => slot.close()));
    },
  };
};

/**
 * No time limit: the longest timeout of a Node timer, in milliseconds. The request that leases the connection has its own time
 * limit.
 */
const NO_LIMIT = 2 ** 31 - 1;

export interface Leases {
  /**
   * Runs a request that the broker may answer late, on a connection that no other request uses meanwhile. `timeoutMs` limits
   * only the time to connect. An abort closes the connection.
   */
  use<T>(
    address: Address,
    { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal?: AbortSignal },
    request: (connection: GatedConnection) => Promise<T>,
  ): Promise<T>;
  close(): void;
}

/** `maxSpare`: unused connections that are kept for each broker. */
export const createLeases = (options: KafkaOptions, maxSpare = 4): Leases => {
  const spare = new Map<string, GatedConnection[]>();
  const open = new Set<GatedConnection>();
  let closed = false;

  const discard = (connection: GatedConnection): void => {
    open.delete(connection);
    connection.socket.destroy();
  };

  const take = async (address: Address): Promise<GatedConnection> => {
    const connections = spare.get(`${address.host}:${address.port}`) ?? [];
    for (let found = connections.pop(); found !== undefined; found = connections.pop()) {
      if (found.isUsable) return found;
      discard(found);
    }
    const connection = await openConnection({ ...options, requestTimeout: NO_LIMIT }, address);
    open.add(connection);
    if (closed) discard(connection);
    return connection;
  };

  const giveBack = (address: Address, connection: GatedConnection): void => {
    const name = `${address.host}:${address.port}`;
    const connections = spare.get(name) ?? [];
    spare.set(name, connections);
    if (connections.length < maxSpare && connection.isUsable) connections.push(connection);
    else discard(connection);
  };

  return {
    use: async (address, { timeoutMs, signal }, request) => {
      signal?.throwIfAborted();
      if (closed) throw new TypeError("the connections are closed");
      const taken = take(address);
      const connection = await settledWithin(timeoutMs, taken).catch((error: unknown) => {
        taken.then(discard, () => undefined);
        throw error;
      });
      const abort = (): void => {
        discard(connection);
      };
      signal?.addEventListener("abort", abort);
      try {
        signal?.throwIfAborted();
        const answer = await request(connection);
        giveBack(address, connection);
        return answer;
      } catch (error) {
        if (error instanceof ResponseError) giveBack(address, connection);
        else discard(connection);
        throw error;
      } finally {
        signal?.removeEventListener("abort", abort);
      }
    },
    close: () => {
      closed = true;
      for (const connection of open) discard(connection);
    },
  };
};

/** The calls of kafkajs's admin client, over a connection that they share, and what their errors mean. */
import type { Admin, Kafka } from "kafkajs";
import { GatewayError } from "../../errors.ts";
import { settledWithin } from "./options.ts";

/** Milliseconds. */
const CALL_TIMEOUT = 10_000;

interface KafkaJsError extends Error {
  readonly type?: string;
  /** Set by a call for several groups. */
  readonly groups?: readonly { readonly error?: { readonly type?: string } }[];
  /** Set by a call for several topics. */
  readonly errors?: readonly unknown[];
}

/** The Kafka error name at the root of a kafkajs error. */
export const typeOf = (error: unknown): string | undefined => {
  if (!(error instanceof Error)) return undefined;
  const { type, groups, errors, cause } = error as KafkaJsError;
  return type ?? groups?.[0]?.error?.type ?? typeOf(errors?.[0]) ?? typeOf(cause);
};

/** Errors that Kafka repeats until an operator changes permissions, names or settings. */
const REFUSED = new Set([
  "TOPIC_AUTHORIZATION_FAILED",
  "CLUSTER_AUTHORIZATION_FAILED",
  "INVALID_TOPIC_EXCEPTION",
  "POLICY_VIOLATION",
]);

export const unavailable = (cause: unknown): GatewayError => {
  if (cause instanceof GatewayError) return cause;
  return new GatewayError(REFUSED.has(typeOf(cause) ?? "") ? "TOPIC_REFUSED" : "BROKER_UNAVAILABLE", {
    cause,
  });
};

interface Client {
  readonly admin: Promise<Admin>;
  calls: number;
}

export interface AdminCalls {
  /** Rejects with the kafkajs error if the broker refuses the request, otherwise with BROKER_UNAVAILABLE. */
  call<T>(work: (admin: Admin) => Promise<T>, timeout?: number): Promise<T>;
  close(): Promise<void>;
}

/**
 * Connects with the first call. After a fault the next call connects anew; the old connection stays until its other calls have
 * ended, because the fault may be of one call only.
 */
export const createAdminCalls = (kafka: Pick<Kafka, "admin">): AdminCalls => {
  let current: Client | undefined;

  const connect = async (): Promise<Admin> => {
    const admin = kafka.admin();
    await admin.connect();
    return admin;
  };

  const disconnect = async ({ admin }: Client): Promise<void> => {
    await admin.then((connected) => connected.disconnect()).catch(() => undefined);
  };

  return {
    call: async (work, timeout = CALL_TIMEOUT) => {
      const client = (current ??= { admin: connect(), calls: 0 });
      client.calls += 1;
      try {
        return await settledWithin(timeout, client.admin.then(work));
      } catch (error) {
        if (typeOf(error) !== undefined) throw error;
        if (current === client) current = undefined;
        throw unavailable(error);
      } finally {
        client.calls -= 1;
        if (current !== client && client.calls === 0) void disconnect(client);
      }
    },
    close: async () => {
      const closing = current;
      current = undefined;
      if (closing !== undefined) await disconnect(closing);
    },
  };
};

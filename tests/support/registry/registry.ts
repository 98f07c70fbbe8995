/** A small schema registry with a log of its requests, and with switches that make it unavailable. */
import { once } from "node:events";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from "node:http";
import { createServer as createTlsServer, type ServerOptions } from "node:https";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";
import {
  createStore,
  fault,
  type RegistrySchema,
  type Store,
  type StoreAnswer,
  type StoredVersion,
} from "./store.ts";

export interface LoggedRequest {
  readonly method: string;
  /** The path and the query, as they were sent. */
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

/**
 * `up`: it answers. `frozen`: it takes requests and does not answer until it is up again. `refusing`: no connection is possible.
 * An answer: every request gets it.
 */
export type RegistryState =
  "up" | "frozen" | "refusing" | (StoreAnswer & { readonly headers?: Record<string, string> });

export interface TestRegistry {
  /** Without a slash at its end. */
  readonly url: string;
  /** All requests so far, oldest first. */
  readonly requests: LoggedRequest[];
  /** `method path` of all requests so far. */
  readonly asked: readonly string[];
  /** Registers a schema without a request. */
  readonly add: (subject: string, schema: string, more?: Omit<RegistrySchema, "schema">) => StoredVersion;
  /** Deletes a subject softly. */
  readonly remove: (subject: string) => void;
  become(state: RegistryState): Promise<void>;
  /** Milliseconds until each answer. */
  delayMs: number;
  /** Registrations are answered with this; undefined: they are carried out. */
  registrations: StoreAnswer | undefined;
  /** Resolves when this many requests have come. */
  received(count: number): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

interface TestRegistryOptions {
  /** Path in front of the API. */
  readonly path?: string;
  /** The header Authorization that each request needs. */
  readonly authorization?: string;
  readonly tls?: ServerOptions;
}

interface Request extends LoggedRequest {
  readonly body: string;
}

const SCHEMA_TYPE = "application/vnd.schemaregistry.v1+json";

const getAnswer = (
  store: Store,
  [kind = "", ...names]: readonly string[],
  query: URLSearchParams,
): StoreAnswer => {
  const [first = "", second = "", third = ""] = names;
  const shape = kind === "schemas" ? `${first} ${third}` : `${second} ${names.length}`;
  if (shape === "ids ") return store.idAnswer(Number(second), query.get("subject"));
  if (shape === "ids versions") return store.membershipAnswer(Number(second), query.get("subject"));
  if (shape === "guids ") return store.guidAnswer(second);
  if (shape === "versions 3") return store.versionAnswer(first, third, query.get("deleted") === "true");
  return fault(404, "HTTP 404 Not Found");
};

const answerOf = (store: Store, { method, path, body }: Request): StoreAnswer => {
  const { pathname, searchParams: query } = new URL(path, "http://registry");
  const segments = pathname.split("/").slice(1).map(decodeURIComponent);
  const [kind, subject = "", versions] = segments;
  if (method === "GET") return getAnswer(store, segments, query);
  if (method !== "POST" || kind !== "subjects") return fault(405, "HTTP 405 Method Not Allowed");
  const schema = JSON.parse(body) as RegistrySchema;
  return versions === "versions"
    ? store.registerAnswer(subject, schema)
    : store.lookUpAnswer(subject, schema, query.get("normalize") === "true");
};

export const startRegistry = async (options: TestRegistryOptions = {}): Promise<TestRegistry> => {
  const { path: root = "", authorization, tls } = options;
  const store = createStore();
  const requests: LoggedRequest[] = [];
  const held: (() => void)[] = [];
  const watchers = new Set<() => void>();
  let state: RegistryState = "up";

  const send = (response: ServerResponse, { status, body }: StoreAnswer, headers = {}): void => {
    response.writeHead(status, { "content-type": SCHEMA_TYPE, ...headers });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  };

  const answer = (request: Request, response: ServerResponse): void => {
    if (typeof state === "object") {
      send(response, state, state.headers);
    } else if (authorization !== undefined && request.headers.authorization !== authorization) {
      send(response, fault(401, "Unauthorized"));
    } else if (
      registry.registrations !== undefined &&
      /^POST .*\/versions/.test(`${request.method} ${request.path}`)
    ) {
      send(response, registry.registrations);
    } else if (!request.path.startsWith(`${root}/`)) {
      send(response, { status: 404, body: "<html>not here</html>" });
    } else {
      send(response, answerOf(store, { ...request, path: request.path.slice(root.length) }));
    }
  };

  const handle = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = "", url: path = "", headers } = incoming;
    const body = (await buffer(incoming)).toString();
    requests.push({ method, path, headers });
    for (const watcher of watchers) watcher();
    if (state === "frozen") await new Promise<void>((resolve) => held.push(resolve));
    if (registry.delayMs > 0) await new Promise((resolve) => setTimeout(resolve, registry.delayMs));
    answer({ method, path, headers, body }, response);
  };

  const listener = (incoming: IncomingMessage, response: ServerResponse): void => {
    handle(incoming, response).catch(() => response.destroy());
  };
  const server = tls === undefined ? createServer(listener) : createTlsServer(tls, listener);

  const listen = async (port: number): Promise<void> => {
    server.listen(port, "127.0.0.1");
    await once(server, "listening");
  };
  const close = async (): Promise<void> => {
    if (!server.listening) return;
    const closed = once(server, "close");
    server.close();
    server.closeAllConnections();
    await closed;
  };

  await listen(0);
  const { port } = server.address() as AddressInfo;
  const registry: TestRegistry = {
    url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}${root}`,
    requests,
    get asked() {
      return requests.map(({ method, path }) => `${method} ${path}`);
    },
    add: (subject, schema, more = {}) => store.register(subject, { schema, ...more }),
    remove: (subject) => {
      store.remove(subject);
    },
    become: async (next) => {
      state = next;
      if (next === "refusing") await close();
      else if (!server.listening) await listen(port);
      if (next !== "frozen") for (const release of held.splice(0)) release();
    },
    delayMs: 0,
    registrations: undefined,
    received: (count) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (requests.length < count) return;
          watchers.delete(check);
          resolve();
        };
        watchers.add(check);
        check();
      }),
    [Symbol.asyncDispose]: async () => {
      await registry.become("up");
      await close();
    },
  };
  return registry;
};

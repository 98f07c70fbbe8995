/**
 * HTTP requests as deliveries need them: one request an attempt. No redirect is followed but where the request says so, the
 * connect and the answer each have a limit, and no more of an answer is kept than is ever looked at.
 *
 * One thing is sent twice. A server may close a kept connection at any time, also while the next request is on its way:
 * when a connection that has carried an answer before breaks without a byte of the next one, nobody is to blame, and the
 * request is sent once more on a new connection (RFC 9112, 9.3.1). That holds for methods that aren't idempotent too:
 * delivery is at least once, and the receiver knows a record by its id.
 */
import type { Dispatcher } from "undici";
import type { Clock } from "../../../lib/clock.ts";
import type { DeliveryRequest, HttpResult } from "../delivery-plan.ts";
import { collectAnswer } from "./answer.ts";
import { createConnections, type Connection, type ConnectionOptions } from "./connections.ts";
import { afterRedirect } from "./redirects.ts";

export interface HttpClient {
  /** Settles, never rejects. Headers that HTTP can't carry are left out. */
  send(request: DeliveryRequest): Promise<HttpResult>;
  /** Breaks what is open. */
  close(): Promise<void>;
}

export interface HttpClientOptions extends ConnectionOptions {
  readonly clock: Clock;
  /** From the request being written to the last byte of the answer, of the last one where redirects are followed; 0: no limit. */
  readonly readTimeoutMs: number;
}

/** Nobody listens, or nobody can be reached, or the name leads nowhere: the record isn't to blame. */
const UNREACHABLE = new Set(["ECONNREFUSED", "EHOSTUNREACH", "ENETUNREACH"]);
const LOOKUP = new Set(["getaddrinfo", "queryA", "queryAaaa"]);

const kindOf = ({ code = "", syscall = "" }: NodeJS.ErrnoException): "unreachable" | "forbidden" | "lost" => {
  if (code === "TARGET_REFUSED") return "forbidden";
  return UNREACHABLE.has(code) || LOOKUP.has(syscall) ? "unreachable" : "lost";
};

const failureOf = (error: NodeJS.ErrnoException): HttpResult => {
  const { code, message } = error;
  const kind = kindOf(error);
  if (message === "") return { kind, error: code ?? error.name };
  const named = code === undefined || kind === "forbidden" || message.includes(code);
  return { kind, error: named ? message : `${code}: ${message}` };
};

const FIELD_NAME = /^[!#$%&'*+.^_`|~\w-]+$/;
const FIELD_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** RFC 9110, 5: a record may hold anything, a header can't; what can't be sent must not keep the record from being sent. */
const sendable = (headers: readonly string[]): string[] => {
  const sent: string[] = [];
  for (let at = 0; at + 1 < headers.length; at += 2) {
    const name = headers[at] ?? "";
    const value = headers[at + 1] ?? "";
    if (FIELD_NAME.test(name) && FIELD_VALUE.test(value)) sent.push(name, value);
  }
  return sent;
};

interface Exchange {
  readonly result: HttpResult;
  /** Of the answer. */
  readonly location?: string | undefined;
  /** The connection had been used before, and broke without a byte of an answer. */
  readonly stale: boolean;
}

/** The time of one attempt, which all its requests share. */
interface TimeLimit {
  /** From now on `action` is what happens when the time is over. */
  watch(action: () => void): void;
  /** The first call counts. */
  start(): void;
  end(): void;
}

const createTimeLimit = ({ clock, readTimeoutMs }: HttpClientOptions): TimeLimit => {
  let onLate = (): void => undefined;
  let cancel: (() => void) | undefined;
  return {
    watch: (action) => {
      onLate = action;
    },
    start: () => {
      if (readTimeoutMs === 0) return;
      cancel ??= clock.after(readTimeoutMs, () => {
        onLate();
      });
    },
    end: () => {
      cancel?.();
    },
  };
};

interface Sending extends HttpClientOptions {
  readonly headers: string[];
  readonly limit: TimeLimit;
}

const exchange = (
  { readTimeoutMs, headers, limit }: Sending,
  connection: Connection,
  { path, method, body }: DeliveryRequest,
): Promise<Exchange> =>
  new Promise((resolve) => {
    let late = false;
    let reused = false;
    let bytesBefore = 0;
    let controller: Dispatcher.DispatchController | undefined;
    // The connection may still be waited for, after a redirect to it.
    const end = (): void => controller?.abort(new RangeError("Too late"));
    limit.watch(() => {
      late = true;
      resolve({ result: { kind: "lost", error: `No answer within ${readTimeoutMs} ms` }, stale: false });
      end();
    });
    const handler = collectAnswer({
      onWritten: (started) => {
        controller = started;
        if (late) {
          end();
          return;
        }
        connection.expectAnswer();
        reused = connection.answered > 0;
        bytesBefore = connection.bytesRead;
        limit.start();
      },
      onAnswer: (result, location) => {
        connection.answered += 1;
        resolve({ result, location, stale: false });
      },
      onFailure: (error) => {
        resolve({ result: failureOf(error), stale: reused && connection.bytesRead === bytesBefore });
      },
    });
    connection.client.dispatch({ path, method, headers, body }, handler);
  });

/**
 * undici's `dispatch` by measurement, one connection, one request after the other against a 0 ms endpoint: 75 µs a
 * request, its promise API `request` 98 µs, `node:http` with a keep-alive agent 130 to 190 µs.
 */
export const createHttpClient = (options: HttpClientOptions): HttpClient => {
  const connections = createConnections(options);
  let closed = false;

  const sendOnce = async (request: DeliveryRequest, sending: Sending): Promise<Exchange> => {
    const connection = connections.take(request.origin);
    const first = await exchange(sending, connection, request);
    // Its socket has gone: the second exchange is on a new one.
    const last = first.stale && !closed ? await exchange(sending, connection, request) : first;
    connections.release(request.origin, connection);
    return last;
  };

  const follow = async (request: DeliveryRequest, sending: Sending, followed = 0): Promise<HttpResult> => {
    const { result, location } = await sendOnce(request, sending);
    if ("kind" in result) return result;
    const next = afterRedirect(request, { status: result.status, location, followed });
    if (next === undefined) return result;
    if (closed) return { kind: "lost", error: "Stopped before a redirect was followed" };
    return "error" in next ? { ...result, error: next.error } : follow(next.request, sending, followed + 1);
  };

  return {
    send: async (request) => {
      const limit = createTimeLimit(options);
      const result = await follow(request, { ...options, headers: sendable(request.headers), limit });
      limit.end();
      return result;
    },
    close: () => {
      closed = true;
      return connections.close();
    },
  };
};

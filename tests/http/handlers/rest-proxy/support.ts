/** A gateway that listens on a port, and the records and errors of the REST Proxy API. */
import { createHttpServer, type HttpServer } from "../../../../src/http/server.ts";
import { createTestGateway, PARTNER_KEY, type TestGateway, type TestOptions } from "../../support.ts";

export interface Answer {
  readonly status: number;
  readonly body: unknown;
  readonly text: string;
  readonly headers: Headers;
}

export interface ServedGateway extends TestGateway {
  readonly port: number;
  readonly url: string;
  readonly server: HttpServer;
  /** Sends a body with a Content-Length. */
  post(path: string, body: unknown, headers?: Record<string, string>): Promise<Answer>;
  send(method: string, path: string, headers?: Record<string, string>): Promise<Answer>;
  /** Sends a chunked body, one chunk per part. Resolves with the reports. */
  stream(
    path: string,
    parts: Iterable<string | Buffer>,
    headers?: Record<string, string>,
  ): Promise<{ readonly status: number; readonly reports: readonly Record<string, unknown>[] }>;
}

export const RECORDS = "/v3/clusters/any/topics/plain/records";
export const BATCH = "/v3/clusters/any/topics/plain/records:batch";

const LIMITS = {
  keepAliveTimeout: 5000,
  headersTimeout: 5000,
  maxHeaderSize: 16_384,
  maxConnections: 0,
  backlog: 16,
};

export const serve = async (options: TestOptions = {}): Promise<ServedGateway> => {
  const gateway = await createTestGateway(options);
  const server = createHttpServer(gateway.app, LIMITS, gateway.memory);
  const { port } = await server.listen(0, "127.0.0.1");
  const url = `http://127.0.0.1:${port}`;
  const base = { "content-type": "application/json", "x-api-key": PARTNER_KEY };

  const send = async (path: string, init: RequestInit): Promise<Answer> => {
    const { headers, ...rest } = init;
    const response = await fetch(url + path, {
      ...rest,
      headers: { ...base, ...(headers as Record<string, string> | undefined) },
    });
    const text = await response.text();
    return { status: response.status, text, body: parsed(text), headers: response.headers };
  };

  return {
    ...gateway,
    port,
    url,
    server,
    post: (path, body, headers = {}) =>
      send(path, {
        method: "POST",
        body: typeof body === "string" ? body : JSON.stringify(body),
        headers,
      }),
    send: (method, path, headers = {}) => send(path, { method, headers }),
    stream: async (path, parts, headers = {}) => {
      const response = await fetch(url + path, {
        method: "POST",
        headers: { ...base, ...headers },
        body: ReadableStream.from(asBytes(parts)),
        duplex: "half",
      });
      return { status: response.status, reports: linesOf(await response.text()) };
    },
  };
};

const asBytes = function* (parts: Iterable<string | Buffer>): Iterable<Uint8Array> {
  for (const part of parts) yield Buffer.from(part);
};

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
};

/** Parses reports, one per line. */
export const linesOf = (text: string): Record<string, unknown>[] =>
  text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Record<string, unknown>);

/** The HTTP status and the `error_code` of an answer. */
export const statusAndCode = ({ status, body }: Answer): [status: number, code: number] => [
  status,
  (body as { error_code: number }).error_code,
];

/** A v3 record whose value is JSON. */
export const json = (data: unknown): object => ({ value: { type: "JSON", data } });

export const error = (code: number, message: unknown, more: object = {}): object => ({
  error_code: code,
  message,
  retriable: false,
  ...more,
});

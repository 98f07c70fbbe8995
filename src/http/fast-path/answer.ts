/**
 * Answers that leave in one write. Node keeps each header in an object, and writes head and body as two pieces with `writev`.
 * Here the headers that all answers of an app have are one prepared text, and head and body are one text. If any code reads or
 * changes the headers, they become real headers first, and Node writes the answer.
 *
 * This uses one private part of Node: `_header`, the text of the head before Node sends it (`check.ts`).
 */
import { type IncomingMessage, ServerResponse, STATUS_CODES } from "node:http";

/** Headers as pairs, and as Node writes them. */
export interface PreparedHeaders {
  readonly entries: readonly (readonly [name: string, value: string])[];
  readonly text: string;
}

export const prepareHeaders = (entries: PreparedHeaders["entries"]): PreparedHeaders => ({
  entries,
  text: entries.map(([name, value]) => `${name}: ${value}\r\n`).join(""),
});

/** The prepared headers of a response. `untouched`: it has no headers yet; `real`: its headers are Node's. */
const HEADERS = Symbol("prepared headers");
const REQUEST_ID = Symbol("request id");

const KEEP_ALIVE = Symbol("Keep-Alive header");

interface Prepared {
  [HEADERS]: PreparedHeaders | "untouched" | "real";
  [REQUEST_ID]: string;
  /** The header `Keep-Alive` as text; empty: none. */
  readonly [KEEP_ALIVE]: string;
}

const ID_HEADER = "X-Request-Id";

/**
 * Gives the response its first headers: `X-Request-Id` and the prepared ones. Any response can be given. `requestId` must be
 * valid in a header.
 */
export const setPreparedHeaders = (
  response: ServerResponse,
  requestId: string,
  headers: PreparedHeaders,
): void => {
  const prepared = response as ServerResponse & Prepared;
  if (prepared[HEADERS] === "untouched") {
    prepared[REQUEST_ID] = requestId;
    prepared[HEADERS] = headers;
    return;
  }
  response.setHeader(ID_HEADER, requestId);
  for (const [name, value] of headers.entries) response.setHeader(name, value);
};

/**
 * The class of responses whose headers can be prepared. Another prototype can stand between it and `ServerResponse`, as
 * Express's does. `keepAliveTimeout`: that of the server, in milliseconds.
 */
export const createPreparedResponse = (keepAliveTimeout: number) => {
  const keepAlive =
    keepAliveTimeout === 0 ? "" : `Keep-Alive: timeout=${Math.floor(keepAliveTimeout / 1000)}\r\n`;
  class Response<T extends IncomingMessage> extends ServerResponse<T> implements Prepared {
    [HEADERS]: Prepared[typeof HEADERS] = "untouched";
    [REQUEST_ID] = "";

    get [KEEP_ALIVE]() {
      return keepAlive;
    }

    override setHeader(...given: Parameters<ServerResponse["setHeader"]>) {
      makeReal(this);
      return super.setHeader(...given);
    }

    override setHeaders(...given: Parameters<ServerResponse["setHeaders"]>) {
      makeReal(this);
      return super.setHeaders(...given);
    }

    override appendHeader(...given: Parameters<ServerResponse["appendHeader"]>) {
      makeReal(this);
      return super.appendHeader(...given);
    }

    override removeHeader(name: string) {
      makeReal(this);
      super.removeHeader(name);
    }

    override getHeader(name: string) {
      makeReal(this);
      return super.getHeader(name);
    }

    override getHeaders() {
      makeReal(this);
      return super.getHeaders();
    }

    override getHeaderNames() {
      makeReal(this);
      return super.getHeaderNames();
    }

    override hasHeader(name: string) {
      makeReal(this);
      return super.hasHeader(name);
    }

    /** Node calls it too, before it writes a head. */
    override writeHead(...given: unknown[]) {
      makeReal(this);
      return super.writeHead(...(given as Parameters<ServerResponse["writeHead"]>));
    }
  }
  return Response;
};

const makeReal = (response: ServerResponse & Prepared): void => {
  const headers = response[HEADERS];
  if (headers === "real") return;
  response[HEADERS] = "real";
  // A response of another class can get this prototype from Express, and then has nothing prepared.
  if (typeof headers === "object") setPreparedHeaders(response, response[REQUEST_ID], headers);
};

/** UTF-16 units. A longer body takes longer to copy than the second piece of a `writev`. */
const LONGEST_BODY = 8192;

/**
 * Sends the whole answer in one write, with the status code of the response. Returns false without sending if Node must write
 * this answer: its headers were touched, the connection closes after it, or the body is not a short ASCII text.
 */
export const sendAtOnce = (response: ServerResponse, contentType: string, body: string): boolean => {
  const prepared = response as ServerResponse & Prepared;
  const headers = prepared[HEADERS];
  if (typeof headers !== "object" || !isPlain(response) || !isShortAscii(body)) return false;
  prepared[HEADERS] = "real";
  const head =
    `HTTP/1.1 ${response.statusCode} ${STATUS_CODES[response.statusCode] ?? "unknown"}\r\n${ID_HEADER}: ${prepared[REQUEST_ID]}\r\n${headers.text}` +
    `Content-Type: ${contentType}\r\nDate: ${dateNow()}\r\nConnection: keep-alive\r\n${prepared[KEEP_ALIVE]}` +
    `Content-Length: ${body.length}\r\n\r\n`;
  // Node sends this text with its next write, which `end` makes without a chunk.
  (response as { _header?: string })._header = head + body;
  response.end();
  return true;
};

/** False if Node would write another head than `sendAtOnce`. */
const isPlain = (response: ServerResponse): boolean => {
  const { req: request, statusCode } = response;
  return (
    response.shouldKeepAlive &&
    response.sendDate &&
    (response.statusMessage as string | undefined) === undefined &&
    request.httpVersion === "1.1" &&
    request.method !== "HEAD" &&
    request.headers.expect === undefined &&
    statusCode >= 200 &&
    statusCode !== 204 &&
    statusCode !== 304 &&
    !response.headersSent &&
    !response.writableEnded
  );
};

const isShortAscii = (body: string): boolean =>
  body.length <= LONGEST_BODY && Buffer.byteLength(body) === body.length;

let second = 0;
let date = "";

/** The value of the header `Date`. */
const dateNow = (): string => {
  const now = Date.now();
  if (now - second >= 1000 || now < second) {
    second = now - (now % 1000);
    date = new Date(now).toUTCString();
  }
  return date;
};

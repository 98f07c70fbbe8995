/**
 * The check of the private parts of Node that the fast path uses. It writes a few answers in both ways and compares their bytes,
 * and reads a few bodies, before the first request: another version of Node may write other heads, or give its bytes another way.
 */
import { createServer, IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
import { createDirectRequest, receiveDirectly } from "./body.ts";
import { createPreparedResponse, prepareHeaders, sendAtOnce, setPreparedHeaders } from "./answer.ts";

const KEEP_ALIVE_MS = 5000;
const HEADERS = prepareHeaders([
  ["X-First", "one"],
  ["X-Second", "two; three=4"],
]);
const ANSWERS = [
  { status: 200, type: "application/json", body: '{"error":null}' },
  { status: 404, type: "application/problem+json", body: "" },
] as const;

type Answer = (typeof ANSWERS)[number];

let fault: string | undefined;
let isChecked = false;

/** The difference between the fast path and this Node, for the log; undefined: both write the same. A process checks it once. */
export const fastPathFault = (): string | undefined => {
  if (!isChecked)
    fault = findFault(createPreparedResponse(KEEP_ALIVE_MS)) ?? findBodyFault(createDirectRequest());
  isChecked = true;
  return fault;
};

/** As `fastPathFault`, for this class of responses. */
export const findFault = (Response: typeof ServerResponse): string | undefined => {
  try {
    for (const answer of ANSWERS) {
      const ours = written(new Response(requestOf()), answer, sendAtOnce);
      const nodes = written(new ServerResponse(requestOf()), answer, sendByNode);
      if (ours.length !== 1) return `an answer leaves in ${ours.length} writes`;
      if (ours.join("") !== nodes.join("")) return `an answer differs: ${JSON.stringify(ours.join(""))}`;
    }
    return undefined;
  } catch (error) {
    return String(error);
  }
};

/** A body that goes to a receiver, one that goes to the stream, and one whose connection closes. */
const REQUESTS = [
  "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\none",
  "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\ntwo",
  "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nthree",
].join("");
const RECEIVED = "data one, end true, stream two, data three, close";

/** As `findFault`, for this class of requests. */
export const findBodyFault = (Request: typeof IncomingMessage): string | undefined => {
  const received: string[] = [];
  const receiver = (request: IncomingMessage) => ({
    onData: (chunk: Buffer) => received.push(`data ${String(chunk)}`),
    onEnd: () => received.push(`end ${String(request.complete && request.readableEnded)}`),
    onClose: () => received.push("close"),
  });
  try {
    const requests: IncomingMessage[] = [];
    const socket = new Socket();
    const server = createServer({ IncomingMessage: Request }, (request) => {
      const before = requests.at(-1);
      if (requests.length === 2 && before !== undefined) received.push(`stream ${String(before.read())}`);
      requests.push(request);
      if (requests.length !== 2 && !receiveDirectly(request, receiver(request))) received.push("no receiver");
    });
    server.emit("connection", socket);
    socket.emit("data", Buffer.from(REQUESTS));
    requests.at(-1)?.destroy();
    socket.destroy();
    const seen = received.join(", ");
    return seen === RECEIVED ? undefined : `bodies arrive in another way: ${seen}`;
  } catch (error) {
    return String(error);
  }
};

type Send = (response: ServerResponse, contentType: string, body: string) => unknown;

const sendByNode: Send = (response, contentType, body) => {
  response.setHeader("Content-Type", contentType);
  response.end(body);
};

const requestOf = (): IncomingMessage =>
  Object.assign(new IncomingMessage(new Socket()), {
    method: "POST",
    httpVersion: "1.1",
    httpVersionMajor: 1,
    httpVersionMinor: 1,
  });

/** The pieces that an answer writes to its socket, without the value of `Date`. */
const written = (response: ServerResponse, { status, type, body }: Answer, send: Send): readonly string[] => {
  const pieces: string[] = [];
  const socket = new Socket();
  socket._write = (chunk: Buffer | string, _encoding, done) => {
    pieces.push(chunk.toString());
    done();
  };
  socket._writev = (chunks, done) => {
    for (const { chunk } of chunks) pieces.push(String(chunk));
    done();
  };
  // The server sets it on each response.
  Object.assign(response, { _keepAliveTimeout: KEEP_ALIVE_MS });
  response.assignSocket(socket);
  setPreparedHeaders(response, "id", HEADERS);
  response.statusCode = status;
  send(response, type, body);
  return pieces.map((piece) => piece.replace(/^Date: .+$/m, "Date: "));
};

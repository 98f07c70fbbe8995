/**
 * The check of the private parts of Node that the fast path uses. It writes a few answers in both ways and compares their bytes,
 * before the first request: another version of Node may write other heads.
 */
import { IncomingMessage, ServerResponse } from "node:http";
import { Socket } from "node:net";
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
  if (!isChecked) fault = findFault(createPreparedResponse(KEEP_ALIVE_MS));
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

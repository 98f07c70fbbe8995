/** The HTTP side of an event stream: its answer, its socket, and the id to continue after. */
import type { Response } from "express";
import { retryBlock, type StreamFormat } from "../consume/stream/event-block.ts";
import type { StreamStart } from "../consume/stream/start.ts";
import { parseId } from "../consume/stream/stream-id.ts";
import type { StreamRequest } from "../consume/stream/stream.ts";
import type { StreamOutput } from "../consume/stream/stream-writer.ts";
import type { Reservation } from "../consume/stream/streams.ts";
import { GatewayError } from "../errors.ts";
import type { Call } from "./call.ts";
import { queryOf } from "./url.ts";

export const STREAM_TYPES = { sse: "text/event-stream", ndjson: "application/x-ndjson" } as const;

/** Milliseconds. The time is random, so that the clients of an ended process don't reconnect at the same time. */
const RETRY = { least: 1000, most: 3000 };

interface ServedStream extends Omit<StreamRequest, "output"> {
  readonly topic: string;
  readonly place: Reservation;
  /** Registers the stream, which `end` ends. Returns the function that removes it. Throws if the caller may not read now. */
  readonly register: (end: (error: GatewayError) => void) => () => void;
}

/** Answers with the stream, and frees its place when the connection is closed. Throws as `register` does. */
export const serveStream = (
  { request, response, facts }: Call,
  { topic, place, register, ...wanted }: ServedStream,
): void => {
  if (response.closed) {
    place.release();
    return;
  }
  let end = (_error: GatewayError): void => undefined;
  const remove = registered(place, () =>
    register((error) => {
      end(error);
    }),
  );
  const output = openAnswer(response, wanted.format);
  if (request.method === "HEAD") {
    remove();
    place.release();
    response.end();
    return;
  }
  const stream = place.open(topic, { ...wanted, output });
  end = ({ message }) => {
    stream.end(message);
  };
  const { socket } = response;
  const onDrain = (): void => {
    stream.drained();
  };
  socket?.on("drain", onDrain);
  // Before the listener that writes the log line.
  response.prependOnceListener("close", () => {
    socket?.off("drain", onDrain);
    facts.consumed = stream.events;
    remove();
    stream.closed();
  });
};

/** A stream that is refused gives its place back. */
const registered = (place: Reservation, register: () => () => void): (() => void) => {
  try {
    return register();
  } catch (error) {
    place.release();
    throw error;
  }
};

/** The start after `Last-Event-ID`, or else `lastEventId` of the query. Throws REQUEST_INVALID. */
export const resumedStart = ({ request }: Call, topic: string): StreamStart | undefined => {
  const header = request.headers["last-event-id"] ?? "";
  const isHeader = typeof header === "string" && header !== "";
  const id = isHeader ? header : (queryOf(request).get("lastEventId") ?? "");
  if (id === "") return undefined;
  const name = isHeader ? "Last-Event-ID" : "lastEventId";
  const parsed = parseId(id);
  if (parsed === undefined) throw invalidParameter(name, "an id of this stream", id);
  if (parsed.topic === topic) return { from: "position", position: parsed };
  throw new GatewayError("REQUEST_INVALID", { message: `${name} is the id of another station` });
};

const LONGEST_SHOWN = 80;

export const invalidParameter = (parameter: string, allowed: string, got: string): GatewayError =>
  new GatewayError("REQUEST_INVALID", {
    message: `${parameter} must be ${allowed} (got ${JSON.stringify(got.slice(0, LONGEST_SHOWN))})`,
  });

/** Sends the status and the headers at once. */
const openAnswer = (response: Response, format: StreamFormat): StreamOutput => {
  response.setHeader("Content-Type", STREAM_TYPES[format.api]);
  response.setHeader("Cache-Control", "no-store");
  // Otherwise nginx collects events until its buffer is full.
  response.setHeader("X-Accel-Buffering", "no");
  response.flushHeaders();
  const { socket } = response;
  const retry = RETRY.least + Math.floor(Math.random() * (RETRY.most - RETRY.least + 1));
  if (response.req.method !== "HEAD") response.write(retryBlock(retry, format));
  const isChunked = response.chunkedEncoding;
  return {
    // Node's own writes of a chunk are three writes. Here a chunk is one buffer, which all streams share.
    write: ({ chunk, body }) => socket?.write(isChunked ? chunk : body) ?? response.write(body),
    end: () => {
      response.end();
    },
    cut: () => {
      response.destroy();
    },
  };
};

/** The answer of `consume/batch`: how a record is worded, and how the answer is written to a client that may be slow. */
import { isUtf8 } from "node:buffer";
import type { Response } from "express";
import type { ConsumedRecord } from "../../../broker/broker.ts";
import type { Clock } from "../../../lib/clock.ts";

/** The JSON of an event. JSON holds text only; other bytes come in base64, and a header says so. */
export const consumedEvent = ({ value, headers }: ConsumedRecord): Buffer => {
  const bytes = value ?? Buffer.alloc(0);
  /** null: the header has no value. */
  const named = Object.fromEntries(headers.map(({ name, value: text }) => [name, text?.toString() ?? null]));
  const message = isUtf8(bytes)
    ? { message: bytes.toString(), headers: named }
    : { message: bytes.toString("base64"), headers: { ...named, "stationgate-encoding": "base64" } };
  return Buffer.from(JSON.stringify(message));
};

/** Bytes that are joined, and wait for the client, at a time: the events are in memory already. */
const PIECE = 64 * 1024;
/** An answer that a client doesn't take within this time is cut, and its events are free again. */
const LONGEST_ANSWER_MS = 60_000;

const COMMA = Buffer.from(",");

/** Writes a JSON array of the events as fast as the client takes it. Resolves when all is written, or the client has gone. */
export const sendEvents = async (
  response: Response,
  events: readonly Buffer[],
  clock: Clock,
): Promise<void> => {
  const cancel = clock.after(LONGEST_ANSWER_MS, () => response.destroy());
  response.once("close", cancel);
  const parts = events.flatMap((event, index) => (index === 0 ? [event] : [COMMA, event]));
  const length = parts.reduce((sum, part) => sum + part.length, 2);
  response.statusCode = 200;
  response.setHeader("Content-Type", "application/json");
  response.setHeader("Content-Length", length);
  let piece: Buffer[] = [Buffer.from("[")];
  let bytes = 0;
  for (const part of parts) {
    piece.push(part);
    bytes += part.length;
    if (bytes < PIECE) continue;
    const written = response.write(Buffer.concat(piece));
    piece = [];
    bytes = 0;
    if (!written) await drained(response);
    if (response.closed) return;
  }
  response.end(Buffer.concat([...piece, Buffer.from("]")]));
};

const drained = (response: Response): Promise<void> =>
  new Promise((resolve) => {
    const onEither = (): void => {
      response.off("drain", onEither).off("close", onEither);
      resolve();
    };
    if (response.closed) resolve();
    else response.once("drain", onEither).once("close", onEither);
  });

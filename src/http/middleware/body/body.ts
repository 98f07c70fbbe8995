/**
 * Request bodies, read by hand: express.raw and express.json cost another 10–90 µs a request. Nothing is read before
 * somebody asks for it, and never more than the limit is kept, encoded or decoded. The memory of a body is counted
 * until its request has ended.
 */
import type { Request, Response } from "express";
import { GatewayError } from "../../../errors.ts";
import type { Holder, MemoryBudget } from "../../../lib/memory-budget.ts";
import { type Call, callOf } from "../../call.ts";
import { type BodyLimits, type BodyMemory, collect, createBodyMemories, outOfMemory } from "./collect.ts";
import { createTurns, decoded, type Decoder, decoderFor, maxDecodedBytes, type Turns } from "./decode.ts";

export type { BodyLimits } from "./collect.ts";

export type ReadBody = (request: Request) => Promise<Buffer>;

/** Makes readers that share the memory of one process. */
export type BodyReaders = (limits: BodyLimits) => ReadBody;

/**
 * A reader reads and decodes a body. It rejects with ENCODING_UNSUPPORTED or BODY_TOO_LARGE before a byte is read where
 * the headers tell; later with BODY_TOO_LARGE, BODY_INCOMPLETE, REQUEST_TIMEOUT, ENCODING_BROKEN, or OVERLOADED when
 * the memory is used up.
 */
export const bodyReaders = (budget: MemoryBudget): BodyReaders => {
  const memories = createBodyMemories(budget);
  const turns = createTurns(2);
  const strangers: Source = { memory: memories.strangers, turns: createTurns(1) };
  return (limits) => async (request) => {
    const decoder = decoderFor(request.headers["content-encoding"]);
    if (Number(request.headers["content-length"] ?? 0) > limits.maxBytes)
      throw new GatewayError("BODY_TOO_LARGE");
    const call = callOf(request.res);
    const source = call.isKnown ? { memory: memories.ofPrincipal(holderName(call)), turns } : strangers;
    const body = await collect(request, limits, source.memory);
    if (decoder === undefined || body.length === 0) return keep(call, source, body);
    return keep(call, source, await decode(body, decoder, limits.maxBytes, source));
  };
};

/** What one kind of clients shares. */
interface Source {
  readonly memory: BodyMemory;
  readonly turns: Turns;
}

/** Operators hold together. */
const holderName = ({ principal }: Call): string =>
  principal === undefined ? "operators" : `${principal.kind} ${principal.name}`;

/** The body's bytes are given back when its request has ended. */
const keep = (call: Call, { memory }: Source, body: Buffer): Buffer => {
  if (call.response.closed) memory.give(body.length);
  else {
    call.heldIn = memory;
    call.heldBytes = body.length;
  }
  return body;
};

/** A body that has arrived gives way to nobody. */
const COMPLETE: Holder = { yieldMemory: () => undefined };

/** From a body whose bytes are taken to one whose bytes are. */
const decode = async (
  encoded: Buffer,
  decoder: Decoder,
  maxBytes: number,
  { memory, turns }: Source,
): Promise<Buffer> => {
  let held = encoded.length;
  try {
    const turn = turns.tryRun(async () => {
      const most = maxDecodedBytes(encoded, decoder, maxBytes);
      if (!memory.tryTake(most, COMPLETE)) throw outOfMemory();
      held += most;
      return decoded(encoded, decoder, maxBytes);
    });
    if (turn === undefined) throw outOfMemory();
    const body = await turn;
    memory.give(held - body.length);
    held = 0;
    return body;
  } finally {
    memory.give(held);
  }
};

/** What to do with a body that nobody wants, because its request was answered without it. */

/**
 * To be called before an answer that may leave a body unread. As much as we would have read anyway is read and thrown
 * away, and the connection lives on; for more, or for a length that isn't told, it is closed after the answer.
 */
export const settleUnreadBody = (response: Response, { maxBytes, timeoutMs }: BodyLimits): void => {
  const { request } = callOf(response);
  if (request.complete || response.headersSent) return;
  const { headers } = request;
  const length = Number(headers["content-length"] ?? 0);
  // Who waits to be asked for a body may send it or may not, so that nobody knows what its next bytes are.
  const untold = headers["transfer-encoding"] !== undefined || headers.expect !== undefined;
  if (untold || length > maxBytes) {
    response.setHeader("Connection", "close");
    return;
  }
  if (length === 0) return;
  const timer = setTimeout(() => request.destroy(), timeoutMs).unref();
  request.once("close", () => {
    clearTimeout(timer);
  });
};

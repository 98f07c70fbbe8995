/**
 * Reads and decodes request bodies without express.raw and express.json, which take another 10–90 µs per request. A body
 * is read when a handler asks for it, and never beyond the limit. Its memory is counted until the request ends.
 */
import type { Request, Response } from "express";
import { type Principal, principalId } from "../../../auth/principal.ts";
import { GatewayError } from "../../../errors.ts";
import type { Holder, MemoryBudget } from "../../../lib/memory-budget.ts";
import { type Call, callOf } from "../../call.ts";
import { createBodyTimer } from "./body-timer.ts";
import { type BodyLimits, type BodyMemory, collect, createBodyMemories, outOfMemory } from "./collect.ts";
import { createTurns, decoded, type Decoder, decoderFor, maxDecodedBytes, type Turns } from "./decode.ts";

export type { BodyLimits } from "./collect.ts";

export type ReadBody = (request: Request) => Promise<Buffer>;

/** Makes readers that share the memory of one process. */
export type BodyReaders = (limits: BodyLimits) => ReadBody;

/**
 * A reader throws ENCODING_UNSUPPORTED or BODY_TOO_LARGE before it reads a byte if the headers already show the
 * fault; later it rejects with BODY_TOO_LARGE, BODY_INCOMPLETE, REQUEST_TIMEOUT, ENCODING_BROKEN, or OVERLOADED when
 * the memory is used up.
 */
export const bodyReaders = (budget: MemoryBudget): BodyReaders => {
  const memories = createBodyMemories(budget);
  const turns = createTurns(2);
  const strangers: Source = { memory: memories.strangers, turns: createTurns(1) };
  const operators: Source = { memory: memories.ofPrincipal("operators"), turns };
  const sources = new WeakMap<Principal, Source>();

  const sourceOf = ({ isKnown, principal }: Call): Source => {
    if (!isKnown) return strangers;
    if (principal === undefined) return operators;
    const known = sources.get(principal);
    if (known !== undefined) return known;
    // Every token has a principal object of its own; those of one account share its memory.
    const source = { memory: memories.ofPrincipal(principalId(principal)), turns };
    sources.set(principal, source);
    return source;
  };

  return ({ maxBytes, timeoutMs }) => {
    const timer = createBodyTimer(timeoutMs);
    return (request) => {
      const decoder = decoderFor(request.headers["content-encoding"]);
      if (Number(request.headers["content-length"] ?? 0) > maxBytes) throw new GatewayError("BODY_TOO_LARGE");
      const call = callOf(request.res);
      const source = sourceOf(call);
      const { memory } = source;
      const keep = (body: Buffer): void => {
        hold(call, memory, body.length);
      };
      if (decoder === undefined) return collect(request, { maxBytes, memory, timer, whole: keep });
      return collect(request, { maxBytes, memory, timer }).then(async (encoded) => {
        if (encoded.length === 0) return encoded;
        const body = await decode(encoded, decoder, maxBytes, source);
        keep(body);
        return body;
      });
    };
  };
};

/** The memory and the decoding turns of a body. */
interface Source {
  readonly memory: BodyMemory;
  readonly turns: Turns;
}

/** Gives the memory of the body back when the request ends. */
const hold = (call: Call, memory: BodyMemory, bytes: number): void => {
  if (call.response.closed) memory.give(bytes);
  else {
    call.heldIn = memory;
    call.heldBytes = bytes;
  }
};

/** A complete body never gives its memory up for another body. */
const COMPLETE: Holder = { yieldMemory: () => undefined };

/** Decodes a body. The memory of the encoded body is replaced by that of the decoded body. */
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

/**
 * Call this before an answer that leaves the body unread. A body up to the limit is read and discarded, and the connection
 * stays open. If the body is larger or its length is unknown, the connection is closed after the answer.
 */
export const settleUnreadBody = (response: Response, { maxBytes, timeoutMs }: BodyLimits): void => {
  const { request } = callOf(response);
  if (request.complete || response.headersSent) return;
  const { headers } = request;
  const length = Number(headers["content-length"] ?? 0);
  // After `Expect`, the next bytes can be the body or the next request.
  const isLengthUnknown = headers["transfer-encoding"] !== undefined || headers.expect !== undefined;
  if (isLengthUnknown || length > maxBytes) {
    response.setHeader("Connection", "close");
    return;
  }
  if (length === 0) return;
  const timer = setTimeout(() => request.destroy(), timeoutMs).unref();
  request.once("close", () => {
    clearTimeout(timer);
  });
};

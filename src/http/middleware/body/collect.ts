/** The bytes of a body as they arrive: never more than the limit, and in time. */
import type { Request } from "express";
import { GatewayError } from "../../../errors.ts";
import type { Holder } from "../../../lib/memory-budget.ts";
import { outOfMemory, type BodyMemory } from "./memory.ts";

export interface BodyLimits {
  /** Of the body after decoding. */
  readonly maxBytes: number;
  /** Time in which the whole body must arrive, in milliseconds. */
  readonly timeoutMs: number;
}

/** Chunks that are smaller are copied together: a buffer of its own takes some 200 bytes beside its content. */
const SMALL_CHUNK = 2048;
const BLOCK = 16 * 1024;

/**
 * Resolves with the body, whose bytes are taken from the memory and are the caller's to give back. Rejects with
 * BODY_TOO_LARGE, BODY_INCOMPLETE, REQUEST_TIMEOUT or OVERLOADED, and then holds nothing.
 */
export const collect = (
  request: Request,
  { maxBytes, timeoutMs }: BodyLimits,
  memory: BodyMemory,
): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    let pieces = createPieces();
    let size = 0;
    const end = (): void => {
      clearTimeout(timer);
      request.off("data", onData).off("end", onEnd).off("close", onClose);
      memory.ended(reading);
    };
    const fail = (error: GatewayError): void => {
      end();
      memory.give(size);
      size = 0;
      pieces = createPieces();
      // What still comes is thrown away, so that the client gets to read its answer.
      request.resume();
      reject(error);
    };
    const reading: Holder = {
      yieldMemory: () => {
        fail(outOfMemory());
      },
    };
    const onData = (chunk: Buffer): void => {
      if (size + chunk.length > maxBytes) fail(new GatewayError("BODY_TOO_LARGE"));
      else if (!memory.tryTake(chunk.length, reading)) fail(outOfMemory());
      else {
        size += chunk.length;
        pieces.add(chunk);
      }
    };
    const onEnd = (): void => {
      end();
      resolve(pieces.whole(size));
    };
    const onClose = (): void => {
      fail(new GatewayError("BODY_INCOMPLETE"));
    };
    const onTimeout = (): void => {
      fail(new GatewayError("REQUEST_TIMEOUT", { headers: { Connection: "close" } }));
    };
    const timer = setTimeout(onTimeout, timeoutMs);
    memory.began(reading);
    if (request.destroyed) onClose();
    else request.on("data", onData).on("end", onEnd).on("close", onClose);
  });

interface Pieces {
  add(chunk: Buffer): void;
  /** All of them as one buffer. */
  whole(size: number): Buffer;
}

const createPieces = (): Pieces => {
  const pieces: Buffer[] = [];
  let block: Buffer | undefined;
  let filled = 0;

  /** The filled part of the block becomes a piece. */
  const closeBlock = (): void => {
    if (block !== undefined) pieces.push(block.subarray(0, filled));
    block = undefined;
  };

  return {
    add: (chunk) => {
      // Most bodies are one chunk, which stays as it is.
      if (chunk.length >= SMALL_CHUNK || (pieces.length === 0 && block === undefined)) {
        closeBlock();
        pieces.push(chunk);
        return;
      }
      if (block === undefined || filled + chunk.length > block.length) {
        closeBlock();
        block = Buffer.allocUnsafe(BLOCK);
        filled = 0;
      }
      filled += chunk.copy(block, filled);
    },
    whole: (size) => {
      closeBlock();
      const [first] = pieces;
      return first !== undefined && pieces.length === 1 ? first : Buffer.concat(pieces, size);
    },
  };
};

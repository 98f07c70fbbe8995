/** Collects the bytes of a body within a limit, a time and the memory for all bodies. */
import type { Request } from "express";
import { LRUCache } from "lru-cache";
import { GatewayError } from "../../../errors.ts";
import {
  createYieldingMemory,
  type Holder,
  type MemoryBudget,
  type YieldingMemory,
} from "../../../lib/memory-budget.ts";

/** The memory for one kind of clients. A body takes the bytes that it holds and gives them back later. */
export type BodyMemory = YieldingMemory;

interface BodyMemories {
  /**
   * For clients with a credential that is not public. When the budget is used up, the gateway cuts a body of the principal
   * that holds the most bytes: the one that has been arriving for the longest time. If this principal is the caller, its new
   * body is refused instead.
   */
  readonly ofPrincipal: (name: string) => BodyMemory;
  /**
   * For all other clients: their body is read before the gateway knows them, or their key is public. They share a part of
   * the budget. When this part is used up, the gateway cuts the body that has been arriving for the longest time, so that
   * slow senders don't take the memory of fast senders.
   */
  readonly strangers: BodyMemory;
}

/** Fraction of the budget for clients without a secret credential. */
const STRANGERS_SHARE = 0.5;

export const createBodyMemories = (budget: MemoryBudget): BodyMemories => ({
  ofPrincipal: memoryOfPrincipals(budget),
  strangers: createYieldingMemory(budget.part(() => Math.floor(budget.maxBytes * STRANGERS_SHARE))),
});

/** The bytes of a principal. Its arriving bodies can be cut, the oldest first. */
interface Holdings {
  bytes: number;
  readonly arriving: Set<Holder>;
}

/** Maximum number of remembered principals. The settings don't bound the number of clients of other issuers. */
const MAX_PRINCIPALS = 10_000;

/**
 * Each principal has one `BodyMemory` for all its bodies, because a new one for each body slows the request by 2 %. A principal that
 * was forgotten gets another one, which doesn't count the bytes of the first one.
 */
const memoryOfPrincipals = (budget: MemoryBudget): ((name: string) => BodyMemory) => {
  const memories = new LRUCache<string, BodyMemory>({ max: MAX_PRINCIPALS });
  /** The principals that have arriving bodies. */
  const receiving = new Set<Holdings>();

  /** The oldest arriving body of the principal that holds the most, and more than `bytes`. */
  const nextToYield = (bytes: number): Holder | undefined => {
    let largest: Holdings | undefined;
    for (const holdings of receiving) {
      if (holdings.bytes > (largest?.bytes ?? bytes)) largest = holdings;
    }
    return largest?.arriving.values().next().value;
  };

  const open = (own: Holdings): BodyMemory => ({
    tryTake: (bytes) => {
      while (!budget.tryTake(bytes)) {
        const holder = nextToYield(own.bytes + bytes);
        if (holder === undefined) return false;
        holder.yieldMemory();
      }
      own.bytes += bytes;
      return true;
    },
    give: (bytes) => {
      budget.give(bytes);
      own.bytes -= bytes;
    },
    began: (holder) => {
      own.arriving.add(holder);
      receiving.add(own);
    },
    ended: (holder) => {
      own.arriving.delete(holder);
      if (own.arriving.size === 0) receiving.delete(own);
    },
  });

  return (name) => {
    const known = memories.get(name);
    if (known !== undefined) return known;
    const memory = open({ bytes: 0, arriving: new Set() });
    memories.set(name, memory);
    return memory;
  };
};

export const outOfMemory = (): GatewayError =>
  new GatewayError("OVERLOADED", {
    message: "The memory for requests is used up (limits.memory). Send the request again later.",
    headers: { Connection: "close" },
  });

export interface BodyLimits {
  /** Maximum bytes of the decoded body. */
  readonly maxBytes: number;
  /** Milliseconds within which the whole body must arrive. */
  readonly timeoutMs: number;
}

/** Smaller chunks are copied into one block, because each buffer takes about 200 bytes beside its content. */
const SMALL_CHUNK = 2048;
const BLOCK = 16 * 1024;

/**
 * Resolves with the body; its bytes are taken from the memory, and the caller gives them back. Rejects with
 * BODY_TOO_LARGE, BODY_INCOMPLETE, REQUEST_TIMEOUT or OVERLOADED, and gives the bytes back itself.
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
      // Further bytes are discarded, so that the client can read the answer.
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
  /** All chunks as one buffer. */
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
      // Most bodies are one chunk, which is not copied.
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

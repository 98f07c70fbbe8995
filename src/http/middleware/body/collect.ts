/** Collects the bytes of a body within a limit, a time and the memory for all bodies. */
import type { Request } from "express";
import { LRUCache } from "lru-cache";
import { GatewayError } from "../../../errors.ts";
import { LinkedList, type ListEntry } from "../../../lib/linked-list.ts";
import {
  createYieldingMemory,
  type Holder,
  type MemoryBudget,
  type YieldingMemory,
} from "../../../lib/memory-budget.ts";
import { type BodyReceiver, receiveDirectly, stopReceiving } from "../../fast-path/body.ts";
import type { Arriving, BodyTimer } from "./body-timer.ts";

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
  readonly arriving: LinkedList<Holder>;
  /** The entry in the list of principals that have arriving bodies. */
  receiving: ListEntry<Holdings> | undefined;
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
  const receiving = new LinkedList<Holdings>();

  /** The oldest arriving body of the principal that holds the most, and more than `bytes`. */
  const nextToYield = (bytes: number): Holder | undefined => {
    let largest: Holdings | undefined;
    for (const holdings of receiving) {
      if (holdings.bytes > (largest?.bytes ?? bytes)) largest = holdings;
    }
    return largest?.arriving.first;
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
      own.receiving ??= receiving.add(own);
      return own.arriving.add(holder);
    },
    ended: (holder) => {
      own.arriving.remove(holder);
      if (own.arriving.first !== undefined || own.receiving === undefined) return;
      receiving.remove(own.receiving);
      own.receiving = undefined;
    },
  });

  return (name) => {
    const known = memories.get(name);
    if (known !== undefined) return known;
    const memory = open({ bytes: 0, arriving: new LinkedList(), receiving: undefined });
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

interface Collecting {
  /** Maximum bytes of the body as it is sent. */
  readonly maxBytes: number;
  readonly memory: BodyMemory;
  readonly timer: BodyTimer;
  /** Called with the body before the promise resolves. */
  readonly whole?: ((body: Buffer) => void) | undefined;
}

/**
 * Resolves with the body; its bytes are taken from the memory, and the caller gives them back. Rejects with
 * BODY_TOO_LARGE, BODY_INCOMPLETE, REQUEST_TIMEOUT or OVERLOADED, and gives the bytes back itself.
 */
export const collect = (request: Request, collecting: Collecting): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    new ArrivingBody(request, collecting, { resolve, reject }).begin();
  });

interface Settle {
  readonly resolve: (body: Buffer) => void;
  readonly reject: (error: GatewayError) => void;
}

/** One object for each body, and no closures: this runs for each request. */
class ArrivingBody implements BodyReceiver, Holder, Arriving {
  readonly deadline: number;
  readonly #request: Request;
  readonly #collecting: Collecting;
  readonly #settle: Settle;
  #size = 0;
  #first: Buffer | undefined;
  /** undefined: the body is one chunk so far. */
  #pieces: Pieces | undefined;
  #stopListening: (() => void) | undefined;
  readonly #timed: ListEntry<Arriving>;
  readonly #held: ListEntry<Holder>;

  constructor(request: Request, collecting: Collecting, settle: Settle) {
    this.#request = request;
    this.#collecting = collecting;
    this.#settle = settle;
    this.deadline = collecting.timer.deadline();
    this.#timed = collecting.timer.began(this);
    this.#held = collecting.memory.began(this);
  }

  begin(): void {
    if (this.#request.destroyed) this.onClose();
    else if (!receiveDirectly(this.#request, this)) this.#stopListening = listen(this.#request, this);
  }

  onData(chunk: Buffer): void {
    const { maxBytes, memory } = this.#collecting;
    if (this.#size + chunk.length > maxBytes) this.#fail(new GatewayError("BODY_TOO_LARGE"));
    else if (!memory.tryTake(chunk.length, this)) this.#fail(outOfMemory());
    else {
      this.#size += chunk.length;
      this.#add(chunk);
    }
  }

  onEnd(): void {
    this.#end();
    const body = this.#pieces?.whole(this.#size) ?? this.#first ?? EMPTY;
    this.#collecting.whole?.(body);
    this.#settle.resolve(body);
  }

  onClose(): void {
    this.#fail(new GatewayError("BODY_INCOMPLETE"));
  }

  onTimeout(): void {
    this.#fail(new GatewayError("REQUEST_TIMEOUT", { headers: { Connection: "close" } }));
  }

  yieldMemory(): void {
    this.#fail(outOfMemory());
  }

  /** Most bodies are one chunk, which is not copied. */
  #add(chunk: Buffer): void {
    if (this.#first === undefined) {
      this.#first = chunk;
      return;
    }
    this.#pieces ??= createPieces(this.#first);
    this.#pieces.add(chunk);
  }

  #fail(error: GatewayError): void {
    this.#end();
    this.#collecting.memory.give(this.#size);
    this.#size = 0;
    this.#first = undefined;
    this.#pieces = undefined;
    stopReceiving(this.#request);
    // Further bytes are discarded, so that the client can read the answer.
    this.#request.resume();
    this.#settle.reject(error);
  }

  #end(): void {
    this.#collecting.timer.ended(this.#timed);
    this.#collecting.memory.ended(this.#held);
    this.#stopListening?.();
  }
}

const EMPTY = Buffer.alloc(0);

/** Gives the events of the request's stream to the receiver. Returns the function that ends this. */
const listen = (request: Request, receiver: BodyReceiver): (() => void) => {
  const onData = (chunk: Buffer): void => {
    receiver.onData(chunk);
  };
  const onEnd = (): void => {
    receiver.onEnd();
  };
  const onClose = (): void => {
    receiver.onClose();
  };
  request.on("data", onData).on("end", onEnd).on("close", onClose);
  return () => {
    request.off("data", onData).off("end", onEnd).off("close", onClose);
  };
};

interface Pieces {
  add(chunk: Buffer): void;
  /** All chunks as one buffer. */
  whole(size: number): Buffer;
}

const createPieces = (first: Buffer): Pieces => {
  const pieces: Buffer[] = [first];
  let block: Buffer | undefined;
  let filled = 0;

  /** The filled part of the block becomes a piece. */
  const closeBlock = (): void => {
    if (block !== undefined) pieces.push(block.subarray(0, filled));
    block = undefined;
  };

  return {
    add: (chunk) => {
      if (chunk.length >= SMALL_CHUNK) {
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
      return Buffer.concat(pieces, size);
    },
  };
};

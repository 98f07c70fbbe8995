/**
 * Memory of finished calls: a repeated call gets the first call's result instead of a second write. The memory is
 * bounded in time and in bytes; the least recently used calls are forgotten first. Each process has its own.
 */
import { createHash } from "node:crypto";
import { LRUCache } from "lru-cache";
import { GatewayError } from "../errors.ts";
import type { MemoryBudget } from "../lib/memory-budget.ts";

export interface RememberedCall<T> {
  /** Two calls with the same identity and the same body are the same call. */
  readonly identity: readonly string[];
  readonly body: Buffer;
  /** Memory to reserve before the call runs. */
  readonly bytes: number;
  /** Milliseconds for which the result is remembered. */
  readonly ttlMs: number;
  /**
   * The value to remember for this result; undefined: the next call runs again. `grow` asks for a new total of bytes.
   * If it returns false, the value must fit into the bytes that were reserved.
   */
  readonly toRemember: (result: T, grow: (bytes: number) => boolean) => T | undefined;
}

export interface Remembered<T extends object> {
  /**
   * Returns what `run` returns, or the remembered result of the same call. A call that comes while the same call runs
   * gets that call's result, or its error. Errors are not remembered. Rejects with OVERLOADED, without calling `run`,
   * if other users hold the memory. A call that needs more than the whole memory runs, and is not remembered.
   */
  once(call: RememberedCall<T>, run: () => Promise<T>): Promise<T>;
}

export interface RememberedOptions {
  readonly budget: MemoryBudget;
  /** Milliseconds. */
  readonly now: () => number;
}

interface Entry<T> {
  readonly value: T;
  readonly bytes: number;
}

export const createRemembered = <T extends object>({ budget, now }: RememberedOptions): Remembered<T> => {
  const running = new Map<string, Promise<T>>();
  const entries = new LRUCache<string, Entry<T>>({
    // The budget limits the size, and it can be resized.
    maxSize: Number.MAX_SAFE_INTEGER,
    sizeCalculation: ({ bytes }) => bytes,
    ttlResolution: 0,
    perf: { now },
    dispose: ({ bytes }) => {
      budget.give(bytes);
    },
  });

  /** Forgets older calls to make room. */
  const reserve = (bytes: number): boolean => {
    if (bytes > budget.maxBytes) return false;
    while (budget.usedBytes + bytes > budget.maxBytes && entries.size > 0) entries.pop();
    return budget.tryTake(bytes);
  };

  const carryOut = async (
    name: string,
    { bytes, ttlMs, toRemember }: RememberedCall<T>,
    run: () => Promise<T>,
  ): Promise<T> => {
    let reserved = bytes;
    let used = bytes;
    const grow = (total: number): boolean => {
      if (total > reserved && !reserve(total - reserved)) return false;
      reserved = Math.max(reserved, total);
      used = total;
      return true;
    };
    try {
      const result = await run();
      const value = toRemember(result, grow);
      if (value === undefined) return result;
      entries.set(name, { value, bytes: used }, { ttl: ttlMs });
      reserved -= used;
      return result;
    } finally {
      budget.give(reserved);
      running.delete(name);
    }
  };

  return {
    once: (call, run) => {
      const name = nameOf(call);
      const known = entries.get(name);
      if (known !== undefined) return Promise.resolve(known.value);
      const first = running.get(name);
      if (first !== undefined) return first;
      const fits = call.bytes <= budget.maxBytes;
      if (fits && !reserve(call.bytes)) return Promise.reject(new GatewayError("OVERLOADED"));
      const result = carryOut(name, fits ? call : { ...call, bytes: 0, toRemember: () => undefined }, run);
      running.set(name, result);
      return result;
    },
  };
};

/** The map key of a call. It is a digest, because identities come from clients and can be long. */
const nameOf = ({ identity, body }: Pick<RememberedCall<unknown>, "identity" | "body">): string =>
  createHash("sha256").update(JSON.stringify(identity)).update(body).digest("base64");

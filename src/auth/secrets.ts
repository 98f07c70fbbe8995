/** Configured secrets, plain or hashed, and the one place where a given secret is compared with them. */
import { createHash, createHmac, hash, randomBytes, timingSafeEqual } from "node:crypto";
import { LRUCache } from "lru-cache";
import { GatewayError } from "../errors.ts";
import { createSemaphore } from "../lib/semaphore.ts";
import { deriveLike, parseScryptHash, type ScryptHash } from "./phc.ts";

/** A configured secret. A plain one is kept as its digest only. */
export interface StoredSecret {
  /** SHA-256 of the configured text: changes whenever the secret does. */
  readonly digest: Buffer;
  /** Present where the configured text is a scrypt hash. */
  readonly scrypt: ScryptHash | undefined;
}

/**
 * Reads a secret as configured. Throws SETTINGS_INVALID for an empty one, and for a hash other than scrypt: taken as
 * a plain secret, it would open the door to whoever has read the hash.
 */
export const storedSecret = (text: string): StoredSecret => {
  if (text === "") throw new GatewayError("SETTINGS_INVALID", { message: "a secret is empty" });
  const scrypt = parseScryptHash(text);
  if (scrypt === undefined && /^\$[a-z0-9-]+\$/.test(text))
    throw new GatewayError("SETTINGS_INVALID", {
      message: "a hashed secret is not of the form $scrypt$ln=15,r=8,p=1$<salt>$<hash>",
    });
  return { digest: sha256(text), scrypt };
};

/** A secret that nothing matches, for spending on an unknown name what a known one with a secret like `like` costs. */
export const decoySecret = (like?: StoredSecret): StoredSecret => ({
  digest: randomBytes(32),
  scrypt: like?.scrypt && { ...like.scrypt, hash: randomBytes(like.scrypt.hash.length) },
});

export const sha256 = (text: string): Buffer => createHash("sha256").update(text).digest();

/** A short name for what must not itself be kept as a key: SHA-256 in base64. 0.5 µs for a token of 280 characters. */
export const digestOf = (text: string): string => hash("sha256", text, "base64");

/**
 * Is `given` the secret? At once for plain secrets and for hashed ones that matched before; a promise where a hash
 * must be derived. Takes the same time for every wrong one. Throws OVERLOADED when too many derivations wait.
 */
export type VerifySecret = (secret: StoredSecret, given: string) => boolean | Promise<boolean>;

interface VerifierOptions {
  /** Hashes derived at a time: each holds 32 MiB and one of the pool's four threads, which disk and zlib need too. */
  readonly concurrency?: number;
  /** Derivations that may wait for their turn. */
  readonly maxWaiting?: number;
  /** Matches that are remembered. */
  readonly maxRemembered?: number;
}

export const createSecretVerifier = (options: VerifierOptions = {}): VerifySecret => {
  const { concurrency = 2, maxWaiting = 128, maxRemembered = 10_000 } = options;
  const turns = createSemaphore({ permits: concurrency, maxWaiting });
  // Known by a digest under a key that dies with the process: cheap to compute, of no use to who reads the memory later.
  const pepper = randomBytes(32);
  const matched = new LRUCache<string, true>({ max: maxRemembered });
  const deriving = new Map<string, Promise<boolean>>();

  const derive = (known: string, scrypt: ScryptHash, given: string): Promise<boolean> => {
    const derived = turns.tryRun(() => deriveLike(given, scrypt));
    if (derived === undefined) throw new GatewayError("OVERLOADED", { retryAfter: 5 });
    const verdict = derived
      .then((bytes) => {
        const matches = timingSafeEqual(bytes, scrypt.hash);
        if (matches) matched.set(known, true);
        return matches;
      })
      .finally(() => deriving.delete(known));
    deriving.set(known, verdict);
    return verdict;
  };

  return ({ digest, scrypt }, given) => {
    if (scrypt === undefined) return timingSafeEqual(sha256(given), digest);
    const known = createHmac("sha256", pepper).update(digest).update(given).digest("base64");
    if (matched.get(known) === true) return true;
    return deriving.get(known) ?? derive(known, scrypt, given);
  };
};

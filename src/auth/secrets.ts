/** Configured secrets, plain or hashed, and the one place where a given secret is compared with them. */
import { createHash, createHmac, hash, randomBytes, timingSafeEqual } from "node:crypto";
import { LRUCache } from "lru-cache";
import { GatewayError } from "../errors.ts";
import { createFairTurns, type FairTurns } from "../lib/fair-turns.ts";
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

/** Whose turn a derivation takes; see `FairTurns`. */
export type Party = Parameters<FairTurns["take"]>[0];

export interface SecretVerifier {
  /**
   * Is `given` the secret? At once for plain secrets and for hashed ones that matched before; a promise where a hash
   * must be derived, in the party's turn. Takes the same time for every wrong one. Rejects with OVERLOADED when too many
   * derivations wait.
   */
  verify(secret: StoredSecret, given: string, party: Party): boolean | Promise<boolean>;
  /** As `verify`, without a derivation: undefined where one is needed. */
  known(secret: StoredSecret, given: string): boolean | undefined;
  /** As `verify`, for a caller that has a turn. */
  derive(secret: StoredSecret, given: string): Promise<boolean>;
}

interface VerifierOptions {
  readonly turns: FairTurns;
  /** Matches that are remembered. */
  readonly maxRemembered?: number;
  /** For tests. */
  readonly deriveBytes?: typeof deriveLike;
}

/**
 * Turns for the derivations of a whole process. Each one holds 32 MiB and a thread of the pool's four, which disk and
 * zlib need too.
 */
export const derivationTurns = (): FairTurns => createFairTurns({ permits: 2, maxWaiting: 128 });

export const overloaded = (): GatewayError => new GatewayError("OVERLOADED", { retryAfter: 5 });

export const createSecretVerifier = (options: VerifierOptions): SecretVerifier => {
  const { turns, maxRemembered = 10_000, deriveBytes = deriveLike } = options;
  // Known by a digest under a key that dies with the process: cheap to compute, of no use to a reader of the memory later.
  const pepper = randomBytes(32);
  const matched = new LRUCache<string, true>({ max: maxRemembered });
  const deriving = new Map<string, Promise<boolean>>();

  const nameOf = ({ digest }: StoredSecret, given: string): string =>
    createHmac("sha256", pepper).update(digest).update(given).digest("base64");

  const known = (secret: StoredSecret, given: string): boolean | undefined => {
    if (secret.scrypt === undefined) return timingSafeEqual(sha256(given), secret.digest);
    return matched.get(nameOf(secret, given));
  };

  const derive = async (secret: StoredSecret, given: string): Promise<boolean> => {
    const answer = known(secret, given);
    if (answer !== undefined || secret.scrypt === undefined) return answer === true;
    const bytes = await deriveBytes(given, secret.scrypt);
    const matches = timingSafeEqual(bytes, secret.scrypt.hash);
    if (matches) matched.set(nameOf(secret, given), true);
    return matches;
  };

  const deriveInTurn = async (secret: StoredSecret, given: string, party: Party): Promise<boolean> => {
    const turn = turns.take(party);
    if (!(await turn.granted)) throw overloaded();
    try {
      return await derive(secret, given);
    } finally {
      turn.end();
    }
  };

  const shared = (secret: StoredSecret, given: string, party: Party): Promise<boolean> => {
    const name = nameOf(secret, given);
    const verdict =
      deriving.get(name) ?? deriveInTurn(secret, given, party).finally(() => deriving.delete(name));
    deriving.set(name, verdict);
    return verdict;
  };

  return {
    known,
    derive,
    verify: (secret, given, party) => known(secret, given) ?? shared(secret, given, party),
  };
};

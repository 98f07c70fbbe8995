/** Configured secrets, plain or hashed with scrypt, and the comparison of a given secret with them. */
import { createHash, createHmac, hash, randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { LRUCache } from "lru-cache";
import { GatewayError } from "../errors.ts";
import { createFairTurns, type FairTurns } from "../lib/fair-turns.ts";
import { createSingleFlight } from "../lib/single-flight.ts";

/** The cost of one scrypt derivation (RFC 7914): 2^ln rounds over blocks of 128·r bytes, p times. */
interface ScryptCost {
  readonly ln: number;
  readonly r: number;
  readonly p: number;
}

export interface ScryptHash {
  readonly cost: ScryptCost;
  readonly salt: Buffer;
  readonly hash: Buffer;
}

/** 32 MiB and 95 ms of one core for each derivation: slow enough against guessing, fast enough for a sign-in. */
const DEFAULT_COST: ScryptCost = { ln: 15, r: 8, p: 1 };
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** Limits of the cost, so that one sign-in can't use up the memory or the processor. */
const MAX_MEMORY = 256 * 1024 * 1024;
const MAX_PARALLEL = 16;

const FORMAT =
  /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

/** Parses `$scrypt$ln=15,r=8,p=1$<salt>$<hash>` (PHC format, base64 without padding). undefined: invalid, or too costly. */
export const parseScryptHash = (text: string): ScryptHash | undefined => {
  const [, ln, r, p, salt, hash] = FORMAT.exec(text) ?? [];
  if (salt === undefined || hash === undefined) return undefined;
  const cost = { ln: Number(ln), r: Number(r), p: Number(p) };
  if (!isAffordable(cost)) return undefined;
  return { cost, salt: Buffer.from(salt, "base64"), hash: Buffer.from(hash, "base64") };
};

const isAffordable = (cost: ScryptCost): boolean =>
  cost.ln >= 1 && cost.r >= 1 && cost.p >= 1 && cost.p <= MAX_PARALLEL && memoryOf(cost) <= MAX_MEMORY;

const memoryOf = ({ ln, r, p }: ScryptCost): number => 128 * r * (2 ** ln + p);

/** Derives the hash of `plain` with the cost, salt and length of `like`. Runs in the thread pool. */
export const deriveLike = (plain: string, like: ScryptHash): Promise<Buffer> =>
  derive(plain, like.salt, { cost: like.cost, bytes: like.hash.length });

/** Hashes a secret with a new salt, as a PHC string. */
export const hashSecret = async (plain: string): Promise<string> => {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(plain, salt, { cost: DEFAULT_COST, bytes: HASH_BYTES });
  const { ln, r, p } = DEFAULT_COST;
  return `$scrypt$ln=${ln},r=${r},p=${p}$${unpadded(salt)}$${unpadded(hash)}`;
};

const unpadded = (bytes: Buffer): string => bytes.toString("base64").replace(/=+$/, "");

interface Derivation {
  readonly cost: ScryptCost;
  readonly bytes: number;
}

const derive = (plain: string, salt: Buffer, { cost, bytes }: Derivation): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const { r, p } = cost;
    // Node's default maximum is 32 MiB, and Node counts other buffers besides the blocks.
    const options = { N: 2 ** cost.ln, r, p, maxmem: 2 * memoryOf(cost) };
    scrypt(plain, salt, bytes, options, (error, hash) => {
      if (error === null) resolve(hash);
      else reject(error);
    });
  });

/** A configured secret. Only the digest of a plain secret is stored. */
export interface StoredSecret {
  /** SHA-256 of the configured text. */
  readonly digest: Buffer;
  /** undefined: the secret is plain. */
  readonly scrypt: ScryptHash | undefined;
}

/**
 * Parses a configured secret. Throws SETTINGS_INVALID for an empty text and for a hash that is not scrypt. Otherwise such a
 * hash would count as a plain secret, and the hash itself would be the password.
 */
export const storedSecret = (text: string): StoredSecret => {
  if (text === "")
    throw new GatewayError("SETTINGS_INVALID", {
      message: "a secret is empty; set a text or remove the key",
    });
  const scrypt = parseScryptHash(text);
  if (scrypt === undefined && /^\$[a-z0-9-]+\$/.test(text))
    throw new GatewayError("SETTINGS_INVALID", {
      message:
        "a hashed secret is invalid; allowed: $scrypt$ln=15,r=8,p=1$<salt>$<hash>, as `stationgate hash-secret` prints it",
    });
  return { digest: sha256(text), scrypt };
};

/** A secret that no text matches, for names that don't exist. A comparison with it takes as long as with `like`. */
export const decoySecret = (like?: StoredSecret): StoredSecret => ({
  digest: randomBytes(32),
  scrypt: like?.scrypt && { ...like.scrypt, hash: randomBytes(like.scrypt.hash.length) },
});

export const sha256 = (text: string): Buffer => createHash("sha256").update(text).digest();

/** SHA-256 in base64, as a map key for a secret. It takes 0.5 µs for a token of 280 characters. */
export const digestOf = (text: string): string => hash("sha256", text, "base64");

/** The queue, account and network under which a derivation waits for its turn; see `FairTurns`. */
type Party = Parameters<FairTurns["take"]>[0];

export interface SecretVerifier {
  /**
   * True if `given` is the secret. Returns a promise only if a hash must be derived, which waits for the party's turn; a
   * secret that matched before needs no derivation. Every wrong secret takes the same time. Rejects with OVERLOADED if too
   * many derivations wait.
   */
  verify(secret: StoredSecret, given: string, party: Party): boolean | Promise<boolean>;
  /** As `verify`, without a derivation. undefined: a derivation is needed. */
  known(secret: StoredSecret, given: string): boolean | undefined;
  /** As `verify`, for a caller that already has a turn. */
  derive(secret: StoredSecret, given: string): Promise<boolean>;
}

interface VerifierOptions {
  readonly turns: FairTurns;
  /** Maximum number of remembered matches. */
  readonly maxRemembered?: number;
  /** For tests. */
  readonly deriveBytes?: typeof deriveLike;
}

/**
 * Limits the derivations of the process. Each derivation takes 32 MiB and one of the pool's four threads, which file
 * system calls and zlib need too.
 */
export const derivationTurns = (): FairTurns => createFairTurns({ permits: 2, maxWaiting: 128 });

export const overloaded = (): GatewayError => new GatewayError("OVERLOADED", { retryAfter: 5 });

export const createSecretVerifier = (options: VerifierOptions): SecretVerifier => {
  const { turns, maxRemembered = 10_000, deriveBytes = deriveLike } = options;
  // Matches are remembered as HMACs with this random key, and are useless without the key.
  const pepper = randomBytes(32);
  const matched = new LRUCache<string, true>({ max: maxRemembered });
  const once = createSingleFlight<boolean>();

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

  const shared = (secret: StoredSecret, given: string, party: Party): Promise<boolean> =>
    once(nameOf(secret, given), () => deriveInTurn(secret, given, party));

  return {
    known,
    derive,
    verify: (secret, given, party) => known(secret, given) ?? shared(secret, given, party),
  };
};

/**
 * Returns the secrets to compare with: the secrets of the name, then decoys. Every wrong credential then costs the same
 * derivations, so that the time of the answer does not reveal a name. An unknown name has no secrets of its own.
 */
export type EvenWork = (own: readonly StoredSecret[]) => readonly StoredSecret[];

/** `names`: the hashed secrets of each name. */
export const createEvenWork = (names: readonly (readonly StoredSecret[])[]): EvenWork => {
  const decoys = new Map<string, readonly StoredSecret[]>();
  for (const [cost, secrets] of names.flatMap((own) => [...byCost(own)])) {
    if (secrets.length > (decoys.get(cost)?.length ?? 0)) decoys.set(cost, secrets.map(decoySecret));
  }
  return (own) => {
    const given = byCost(own);
    const missing = [...decoys].flatMap(([cost, most]) => most.slice(given.get(cost)?.length ?? 0));
    return [...own, ...missing];
  };
};

const byCost = (secrets: readonly StoredSecret[]): ReadonlyMap<string, readonly StoredSecret[]> => {
  const groups = new Map<string, StoredSecret[]>();
  for (const secret of secrets) {
    if (secret.scrypt === undefined) continue;
    const { ln, r, p } = secret.scrypt.cost;
    const cost = `${ln},${r},${p}`;
    groups.set(cost, [...(groups.get(cost) ?? []), secret]);
  }
  return groups;
};

/** Configured secrets, plain or hashed, and the one place where a given secret is compared with them. */
import { createHash, createHmac, hash, randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { LRUCache } from "lru-cache";
import { GatewayError } from "../errors.ts";
import { createFairTurns, type FairTurns } from "../lib/fair-turns.ts";

/** Scrypt (RFC 7914) in the PHC string format: `$scrypt$ln=15,r=8,p=1$<salt>$<hash>`, base64 without padding. */

/** The cost of one derivation: 2^ln rounds over blocks of 128·r bytes, p times. */
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

/** 32 MiB and 0.1 s of one core (measured: 95 ms): dear to a guesser, bearable for a login. */
const DEFAULT_COST: ScryptCost = { ln: 15, r: 8, p: 1 };
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** A cost beyond these would let one login take the memory or the processor of all. */
const MAX_MEMORY = 256 * 1024 * 1024;
const MAX_PARALLEL = 16;

const FORMAT =
  /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/;

/** undefined: not such a string, or one whose cost is beyond reason. */
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

/** Derives what `like.hash` would be, had `plain` been its secret. Takes a thread of the pool, not the event loop. */
export const deriveLike = (plain: string, like: ScryptHash): Promise<Buffer> =>
  derive(plain, like.salt, { cost: like.cost, bytes: like.hash.length });

/** A new PHC string of the secret, with its own salt. */
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
    // Node refuses derivations above 32 MiB, its default, and counts some buffers beside the blocks.
    const options = { N: 2 ** cost.ln, r, p, maxmem: 2 * memoryOf(cost) };
    scrypt(plain, salt, bytes, options, (error, hash) => {
      if (error === null) resolve(hash);
      else reject(error);
    });
  });

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
type Party = Parameters<FairTurns["take"]>[0];

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

/** Makes every wrong credential cost the same derivations, so that the time of an answer tells nothing about a name. */

/**
 * The secrets to compare a given one with: first those of the name, then decoys, so that for each cost the list holds as
 * many hashes as the name with the most of them has. A name that does not exist has no secrets of its own.
 */
export type EvenWork = (own: readonly StoredSecret[]) => readonly StoredSecret[];

/** `names` has the hashed secrets of each name that can be asked for. */
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

/** Scrypt (RFC 7914) in the PHC string format: `$scrypt$ln=15,r=8,p=1$<salt>$<hash>`, base64 without padding. */
import { randomBytes, scrypt } from "node:crypto";

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

/** Checks public keys of EdDSA. OpenSSL accepts any bytes as such a key; for the curves of ECDSA it checks the point itself. */

interface Curve {
  readonly bytes: number;
  readonly p: bigint;
  /** The curve is a·x² + y² = 1 + d·x²·y². */
  readonly a: bigint;
  readonly d: bigint;
}

const P25519 = 2n ** 255n - 19n;

const power = (base: bigint, exponent: bigint, p: bigint): bigint => {
  let result = 1n;
  let square = base % p;
  for (let rest = exponent; rest > 0n; rest >>= 1n) {
    if ((rest & 1n) === 1n) result = (result * square) % p;
    square = (square * square) % p;
  }
  return result;
};

const mod = (value: bigint, p: bigint): bigint => ((value % p) + p) % p;

/** RFC 8032, 5.1 and 5.2. */
const CURVES: Readonly<Record<string, Curve>> = {
  Ed25519: {
    bytes: 32,
    p: P25519,
    a: -1n,
    d: mod(-121_665n * power(121_666n, P25519 - 2n, P25519), P25519),
  },
  Ed448: { bytes: 57, p: 2n ** 448n - 2n ** 224n - 1n, a: 1n, d: -39_081n },
};

/** True if the bytes are the encoding of a point with x ≠ 0: a little-endian y, and in the highest bit the sign of x. */
export const isOnCurve = (name: string, encoded: Buffer): boolean => {
  const curve = CURVES[name];
  if (curve?.bytes !== encoded.length) return false;
  const { p, a, d } = curve;
  const bytes = Buffer.from(encoded).reverse();
  bytes[0] = (bytes[0] ?? 0) & 0x7f;
  const y = BigInt(`0x${bytes.toString("hex")}`);
  if (y >= p) return false;
  // x² = (1 - y²) / (a - d·y²); the quotient is a square exactly if the product is one.
  const square = mod((1n - y * y) * (a - d * y * y), p);
  return power(square, (p - 1n) / 2n, p) === 1n;
};

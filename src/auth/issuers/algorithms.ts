/** The signature algorithms of tokens (RFC 7518, RFC 8037) and the keys that fit them. */
import { constants, type KeyObject, verify } from "node:crypto";

/** A key of an issuer. */
export interface IssuerKey {
  /** All its members as text. Two fetches that bring the same key give the same text. */
  readonly id: string;
  readonly kid: string | undefined;
  readonly kty: string;
  readonly crv: string | undefined;
  /** undefined: the issuer does not limit the key to one algorithm. */
  readonly alg: string | undefined;
  readonly use: string | undefined;
  readonly key: KeyObject;
}

interface Algorithm {
  readonly kty: string;
  /** Absent: the keys of this `kty` have no curve. */
  readonly curves?: readonly string[];
  /** null: the algorithm has its own hash. */
  readonly hash: string | null;
  readonly options: Readonly<Record<string, unknown>>;
  /** Bytes of a signature. Absent: the key gives the length. */
  readonly length?: number;
}

const pkcs1 = (hash: string): Algorithm => ({
  kty: "RSA",
  hash,
  options: { padding: constants.RSA_PKCS1_PADDING },
});

const pss = (hash: string): Algorithm => ({
  kty: "RSA",
  hash,
  options: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST },
});

/** The signature is R‖S, each with the length of the curve's order. */
const ecdsa = (hash: string, curve: string, length: number): Algorithm => ({
  kty: "EC",
  curves: [curve],
  hash,
  options: { dsaEncoding: "ieee-p1363" },
  length,
});

const ALGORITHMS: ReadonlyMap<string, Algorithm> = new Map([
  ["RS256", pkcs1("sha256")],
  ["RS384", pkcs1("sha384")],
  ["RS512", pkcs1("sha512")],
  ["PS256", pss("sha256")],
  ["PS384", pss("sha384")],
  ["PS512", pss("sha512")],
  ["ES256", ecdsa("sha256", "P-256", 64)],
  ["ES384", ecdsa("sha384", "P-384", 96)],
  ["ES512", ecdsa("sha512", "P-521", 132)],
  ["EdDSA", { kty: "OKP", curves: ["Ed25519", "Ed448"], hash: null, options: {} }],
]);

/** True if the key's type, curve, `alg` and `use` are those of the algorithm. */
export const fits = ({ kty, crv, alg, use }: IssuerKey, name: string): boolean => {
  const algorithm = ALGORITHMS.get(name);
  if (algorithm?.kty !== kty) return false;
  if (algorithm.curves?.includes(crv ?? "") === false) return false;
  return (alg === undefined || alg === name) && (use === undefined || use === "sig");
};

export interface Signed {
  readonly signed: Buffer;
  readonly signature: Buffer;
}

/** True if the signature is valid. The key must fit the algorithm. */
export const isSignedBy = ({ key }: IssuerKey, name: string, { signed, signature }: Signed): boolean => {
  const algorithm = ALGORITHMS.get(name);
  if (algorithm === undefined) return false;
  if (algorithm.length !== undefined && algorithm.length !== signature.length) return false;
  return verify(algorithm.hash, signed, { key, ...algorithm.options }, signature);
};

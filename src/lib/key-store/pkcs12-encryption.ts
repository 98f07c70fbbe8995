/** The encryption of PKCS12 files by a password: PBES2 (RFC 8018) and the older schemes of RFC 7292, appendix C. */
import { createDecipheriv, createHash, pbkdf2Sync } from "node:crypto";
import { content, elementsIn, OBJECT_ID, OCTETS, SEQUENCE } from "../x509.ts";
import { KeyStoreFault } from "./raw-store.ts";
import { decryptRc2 } from "./rc2.ts";

const INTEGER = 0x02;

/** The derivation blocks the process. Java makes 10,000 iterations, OpenSSL 2048. */
const MAX_ITERATIONS = 1_000_000;

const PBES2 = "2a864886f70d01050d";
const SHA_TRIPLE_DES = "2a864886f70d010c0103";
const SHA_RC2_128 = "2a864886f70d010c0105";
const SHA_RC2_40 = "2a864886f70d010c0106";

const CIPHERS: ReadonlyMap<string, { readonly name: string; readonly keyBytes: number }> = new Map([
  ["608648016503040102", { name: "aes-128-cbc", keyBytes: 16 }],
  ["608648016503040116", { name: "aes-192-cbc", keyBytes: 24 }],
  ["60864801650304012a", { name: "aes-256-cbc", keyBytes: 32 }],
  ["2a864886f70d0307", { name: "des-ede3-cbc", keyBytes: 24 }],
]);

const DIGESTS: ReadonlyMap<string, string> = new Map([
  ["2a864886f70d0207", "sha1"],
  ["2a864886f70d0208", "sha224"],
  ["2a864886f70d0209", "sha256"],
  ["2a864886f70d020a", "sha384"],
  ["2a864886f70d020b", "sha512"],
]);

/** An object identifier as the hexadecimal digits of its DER bytes. */
export const idOf = (bytes: Buffer): string => bytes.toString("hex");

const unsupported = (id: string): KeyStoreFault =>
  new KeyStoreFault(`the PKCS12 file is encrypted with an algorithm that is not supported (${id})`);

const numberIn = (bytes: Buffer): number => {
  const value = bytes.length <= 4 ? bytes.readUIntBE(0, bytes.length) : Infinity;
  if (value > MAX_ITERATIONS)
    throw new KeyStoreFault(`the PKCS12 file needs more than ${MAX_ITERATIONS} iterations for its password`);
  return value;
};

const found = <T>(known: ReadonlyMap<string, T>, id: string): T => {
  const value = known.get(id);
  if (value === undefined) throw unsupported(id);
  return value;
};

const pbes2 = (parameters: Buffer, encrypted: Buffer, password: string): Buffer => {
  const [derivation, scheme] = elementsIn(parameters);
  const [, derivationParameters] = elementsIn(content(derivation, SEQUENCE));
  const [salt, iterations, ...rest] = elementsIn(content(derivationParameters, SEQUENCE));
  // Between the two there may be the length of the key, which the cipher says too.
  const prf = rest.find(({ tag }) => tag === SEQUENCE);
  const digest =
    prf === undefined ? "sha1" : found(DIGESTS, idOf(content(elementsIn(prf.bytes)[0], OBJECT_ID)));
  const [cipherId, iv] = elementsIn(content(scheme, SEQUENCE));
  const cipher = found(CIPHERS, idOf(content(cipherId, OBJECT_ID)));
  const key = pbkdf2Sync(
    password,
    content(salt, OCTETS),
    numberIn(content(iterations, INTEGER)),
    cipher.keyBytes,
    digest,
  );
  const decipher = createDecipheriv(cipher.name, key, content(iv, OCTETS));
  return Buffer.concat([decipher.update(encrypted), decipher.final()]);
};

const BLOCK = 64;

/** Repeats the bytes to a multiple of the block size of SHA-1. */
const filled = (bytes: Buffer): Buffer =>
  Buffer.alloc(Math.ceil(bytes.length / BLOCK) * BLOCK, bytes.length === 0 ? 0 : bytes);

/** Adds `addend` + 1 to the block at `at`, modulo 2^512. */
const addToBlock = (bytes: Buffer, at: number, addend: Buffer): void => {
  let carry = 1;
  for (let index = BLOCK - 1; index >= 0; index -= 1) {
    carry += (bytes[at + index] ?? 0) + (addend[index] ?? 0);
    bytes[at + index] = carry & 0xff;
    carry >>= 8;
  }
};

interface Derivation {
  readonly password: string;
  readonly salt: Buffer;
  readonly iterations: number;
}

/** RFC 7292, appendix B.2, with SHA-1. `purpose`: 1 for a key, 2 for an initialisation vector. */
const derive = ({ password, salt, iterations }: Derivation, purpose: 1 | 2, length: number): Buffer => {
  const secret = Buffer.from(`${password}\0`, "utf16le").swap16();
  const diversifier = Buffer.alloc(BLOCK, purpose);
  const input = Buffer.concat([filled(salt), filled(secret)]);
  const result: Buffer[] = [];
  for (let size = 0; size < length; size += 20) {
    let digest = createHash("sha1").update(diversifier).update(input).digest();
    for (let round = 1; round < iterations; round += 1) digest = createHash("sha1").update(digest).digest();
    result.push(digest);
    const addend = Buffer.alloc(BLOCK, digest);
    for (let at = 0; at < input.length; at += BLOCK) addToBlock(input, at, addend);
  }
  return Buffer.concat(result).subarray(0, length);
};

const older = (id: string, parameters: Buffer, encrypted: Buffer, password: string): Buffer => {
  const [salt, iterations] = elementsIn(parameters);
  const derivation = {
    password,
    salt: content(salt, OCTETS),
    iterations: numberIn(content(iterations, INTEGER)),
  };
  const iv = derive(derivation, 2, 8);
  if (id === SHA_RC2_40 || id === SHA_RC2_128)
    return decryptRc2(derive(derivation, 1, id === SHA_RC2_40 ? 5 : 16), iv, encrypted);
  const decipher = createDecipheriv("des-ede3-cbc", derive(derivation, 1, 24), iv);
  return Buffer.concat([decipher.update(encrypted), decipher.final()]);
};

/** `algorithm`: the content of an AlgorithmIdentifier. Throws KeyStoreFault, or another error if the password is wrong. */
export const decryptPbe = (algorithm: Buffer, encrypted: Buffer, password: string): Buffer => {
  const [identifier, parameters] = elementsIn(algorithm);
  const id = idOf(content(identifier, OBJECT_ID));
  const bytes = content(parameters, SEQUENCE);
  if (id === PBES2) return pbes2(bytes, encrypted, password);
  if (id === SHA_TRIPLE_DES || id === SHA_RC2_40 || id === SHA_RC2_128)
    return older(id, bytes, encrypted, password);
  throw unsupported(id);
};

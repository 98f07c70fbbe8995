/** The format JKS of Java (`sun.security.provider.JavaKeyStore`). All numbers are big-endian. */
import { createHash, timingSafeEqual } from "node:crypto";
import { elementsIn, content, SEQUENCE } from "../x509.ts";
import { KeyStoreFault, type RawStore, type StorePasswords } from "./raw-store.ts";

const MAGIC = 0xfeedfeed;
const VERSION = 2;
const KEY_ENTRY = 1;
const CERTIFICATE_ENTRY = 2;
const OCTETS = 0x04;
const SHA1_BYTES = 20;

export const isJks = (bytes: Buffer): boolean => bytes.length >= 12 && bytes.readUInt32BE(0) === MAGIC;

/** Java's form of a password. */
const utf16 = (password: string): Buffer => Buffer.from(password, "utf16le").swap16();

const sha1 = (...parts: readonly (Buffer | string)[]): Buffer => {
  const hash = createHash("sha1");
  for (const part of parts) hash.update(part);
  return hash.digest();
};

const requireIntact = (bytes: Buffer, password: string): void => {
  const data = bytes.subarray(0, -SHA1_BYTES);
  if (!timingSafeEqual(sha1(utf16(password), "Mighty Aphrodite", data), bytes.subarray(-SHA1_BYTES)))
    throw new KeyStoreFault("the password is wrong, or the file is damaged");
};

/** Java's encryption of a private key: salt, the key XOR a chain of SHA-1 digests, and a digest of the key. */
const decryptKey = (info: Buffer, password: string): Buffer => {
  const [outer] = elementsIn(info);
  const encrypted = content(elementsIn(content(outer, SEQUENCE))[1], OCTETS);
  const secret = utf16(password);
  const plain = Buffer.from(encrypted.subarray(SHA1_BYTES, -SHA1_BYTES));
  let stream = encrypted.subarray(0, SHA1_BYTES);
  for (let at = 0; at < plain.length; at += 1) {
    if (at % SHA1_BYTES === 0) stream = sha1(secret, stream);
    plain[at] = (plain[at] ?? 0) ^ (stream[at % SHA1_BYTES] ?? 0);
  }
  if (!timingSafeEqual(sha1(secret, plain), encrypted.subarray(-SHA1_BYTES)))
    throw new KeyStoreFault("the password of the private key is wrong");
  return plain;
};

/** Reads one field after the other. Throws RangeError at the end of the bytes. */
const createFields = (bytes: Buffer) => {
  let at = 0;
  const take = (length: number): Buffer => {
    if (at + length > bytes.length) throw new RangeError("The file ends too early");
    at += length;
    return bytes.subarray(at - length, at);
  };
  return {
    skip: take,
    number: () => take(4).readUInt32BE(),
    short: () => take(take(2).readUInt16BE()),
    long: () => take(take(4).readUInt32BE()),
  };
};

/** Throws KeyStoreFault, or another error if the bytes are no JKS. */
export const readJks = (bytes: Buffer, { store, key: keyPassword = store }: StorePasswords): RawStore => {
  if (store !== undefined) requireIntact(bytes, store);
  const fields = createFields(bytes.subarray(0, -SHA1_BYTES));
  fields.skip(4);
  if (fields.number() !== VERSION) throw new KeyStoreFault("the version of the JKS file is not supported");
  const certificates: Buffer[] = [];
  let key: RawStore["key"];
  const readCertificate = (): Buffer => {
    fields.short();
    return fields.long();
  };
  for (let left = fields.number(); left > 0; left -= 1) {
    const tag = fields.number();
    fields.short();
    fields.skip(8);
    if (tag === CERTIFICATE_ENTRY) certificates.push(readCertificate());
    else if (tag === KEY_ENTRY) {
      const encrypted = fields.long();
      const chain = Array.from({ length: Math.min(fields.number(), bytes.length) }, readCertificate);
      certificates.push(...chain);
      if (keyPassword !== undefined) key ??= { pkcs8: decryptKey(encrypted, keyPassword), chain };
    } else
      throw new KeyStoreFault("the JKS file has an entry that is neither a certificate nor a private key");
  }
  return { certificates, key };
};

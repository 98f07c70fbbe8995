/**
 * Key stores and trust stores of Java: JKS (Java's own format), PKCS12 (RFC 7292) and PEM. The content of the file decides on the
 * format.
 */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { certificatesIn } from "../pem.ts";
import { isJks, readJks } from "./jks.ts";
import { readPkcs12 } from "./pkcs12.ts";
import { KeyStoreFault, type RawStore, type StorePasswords } from "./raw-store.ts";

export interface KeyStore {
  /** All certificates as PEM, in the order of the file. */
  readonly certificates: readonly string[];
  /** The first private key. undefined: the file contains none. */
  readonly key: StoredKey | undefined;
}

export interface StoredKey {
  /** PKCS#8 in PEM, not encrypted. */
  readonly key: string;
  /** PEM, beginning with the certificate of the key. */
  readonly chain: string;
}

const DER_SEQUENCE = 0x30;

/** Throws KeyStoreFault, whose message is a clause about the file and contains nothing of it. */
export const readKeyStore = (bytes: Buffer, passwords: StorePasswords): KeyStore => {
  try {
    if (isJks(bytes)) return fromRaw(readJks(bytes, passwords));
    if (bytes[0] === DER_SEQUENCE) return fromRaw(readPkcs12(bytes, passwords));
  } catch (error) {
    // Every other error comes from reading bytes that aren't what the format says.
    throw error instanceof KeyStoreFault
      ? error
      : new KeyStoreFault("the password is wrong, or the file is damaged");
  }
  if (!bytes.includes("-----BEGIN ")) throw new KeyStoreFault("the file is no JKS, PKCS12 or PEM file");
  return readPem(bytes.toString("latin1"), passwords);
};

const fromRaw = ({ certificates, key }: RawStore): KeyStore => ({
  certificates: certificates.map(pemOf),
  key: key && {
    key: createPrivateKey({ key: key.pkcs8, format: "der", type: "pkcs8" })
      .export({ format: "pem", type: "pkcs8" })
      .toString(),
    chain: key.chain.map(pemOf).join(""),
  },
});

const pemOf = (der: Buffer): string => new X509Certificate(der).toString();

const PRIVATE_KEY = /-----BEGIN ([A-Z ]*)PRIVATE KEY-----[^]*?-----END \1PRIVATE KEY-----/;

const readPem = (text: string, passwords: StorePasswords): KeyStore => {
  const found = certificatesIn(text);
  if (typeof found === "string") throw new KeyStoreFault(found.replace(/^which/, "the file"));
  const certificates = found.map(String);
  const block = PRIVATE_KEY.exec(text)?.[0];
  return {
    certificates,
    key: block === undefined ? undefined : { key: keyOf(block, passwords), chain: certificates.join("") },
  };
};

const keyOf = (block: string, { store, key = store }: StorePasswords): string => {
  try {
    const privateKey = createPrivateKey({ key: block, passphrase: key ?? "" });
    return privateKey.export({ format: "pem", type: "pkcs8" }).toString();
  } catch {
    throw new KeyStoreFault("the private key can't be read with this password");
  }
};

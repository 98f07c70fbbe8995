/** PKCS12 files (RFC 7292): the certificates and the first private key. */
import { content, elementsIn, OBJECT_ID, OCTETS, SEQUENCE } from "../x509.ts";
import { decryptPbe, idOf } from "./pkcs12-encryption.ts";
import type { RawStore, StorePasswords } from "./raw-store.ts";

/** [0], constructed and primitive. */
const EXPLICIT = 0xa0;
const IMPLICIT_OCTETS = 0x80;

const DATA = "2a864886f70d010701";
const ENCRYPTED_DATA = "2a864886f70d010706";
const KEY_BAG = "2a864886f70d010c0a0101";
const SHROUDED_KEY_BAG = "2a864886f70d010c0a0102";
const CERTIFICATE_BAG = "2a864886f70d010c0a0103";

/** The elements of a SEQUENCE. */
const sequence = (der: Buffer) => elementsIn(content(elementsIn(der)[0], SEQUENCE));

/** A type and its value: `SEQUENCE { OBJECT IDENTIFIER, [0] value }`. */
const typed = (der: Buffer): { readonly id: string; readonly value: Buffer } => {
  const [id, value] = elementsIn(der);
  return { id: idOf(content(id, OBJECT_ID)), value: content(value, EXPLICIT) };
};

const octets = (der: Buffer): Buffer => content(elementsIn(der)[0], OCTETS);

/** The bags of one part of the file, as DER. */
const bagsOf = (part: Buffer, password: string): Buffer => {
  const { id, value } = typed(part);
  if (id === DATA) return octets(value);
  if (id !== ENCRYPTED_DATA) throw new RangeError("The part is encrypted with a public key");
  const [, info] = sequence(value);
  const [, algorithm, encrypted] = elementsIn(content(info, SEQUENCE));
  return decryptPbe(content(algorithm, SEQUENCE), content(encrypted, IMPLICIT_OCTETS), password);
};

const keyOf = (id: string, value: Buffer, password: string): Buffer => {
  if (id === KEY_BAG) return value;
  const [algorithm, encrypted] = sequence(value);
  return decryptPbe(content(algorithm, SEQUENCE), content(encrypted, OCTETS), password);
};

/** Throws KeyStoreFault, or another error if the bytes are no PKCS12 or the password is wrong. */
export const readPkcs12 = (
  bytes: Buffer,
  { store = "", key: keyPassword = store }: StorePasswords,
): RawStore => {
  const [, authSafe] = sequence(bytes);
  const { value } = typed(content(authSafe, SEQUENCE));
  const certificates: Buffer[] = [];
  let pkcs8: Buffer | undefined;
  for (const part of sequence(octets(value)))
    for (const bag of sequence(bagsOf(content(part, SEQUENCE), store))) {
      const { id, value: bagValue } = typed(content(bag, SEQUENCE));
      if (id === CERTIFICATE_BAG) {
        const certificate = typed(content(elementsIn(bagValue)[0], SEQUENCE));
        certificates.push(octets(certificate.value));
      } else if (id === KEY_BAG || id === SHROUDED_KEY_BAG) pkcs8 ??= keyOf(id, bagValue, keyPassword);
    }
  return { certificates, key: pkcs8 && { pkcs8, chain: certificates } };
};

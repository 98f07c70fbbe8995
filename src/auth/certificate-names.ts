/**
 * The names in an X.509 certificate, read from its DER bytes. Texts that describe names, as node has them, can't be split
 * safely: a name may contain any character of the notation.
 */

export interface CertificateNames {
  /** The common name, if the subject has exactly one. */
  readonly cn: string | undefined;
  /** The names of the subject alternative name, by kind. */
  readonly uri: readonly string[];
  readonly dns: readonly string[];
  readonly email: readonly string[];
}

const NONE: CertificateNames = { cn: undefined, uri: [], dns: [], email: [] };

/** No names if the bytes have another form than X.509 prescribes. A name with control characters is left out. */
export const namesOf = (der: Buffer): CertificateNames => {
  try {
    const [certificate] = elementsIn(der);
    const [tbs] = elementsIn(content(certificate, SEQUENCE));
    const fields = elementsIn(content(tbs, SEQUENCE));
    // The version is the only field before the serial number, and it is optional.
    const subject = fields[fields[0]?.tag === VERSION ? 5 : 4];
    const extensions = fields.find(({ tag }) => tag === EXTENSIONS);
    return { ...NONE, ...alternativeNames(extensions), cn: commonName(subject) };
  } catch (error) {
    if (error instanceof MalformedDer) return NONE;
    throw error;
  }
};

class MalformedDer extends Error {}

interface Element {
  readonly tag: number;
  readonly bytes: Buffer;
}

const SEQUENCE = 0x30;
const SET = 0x31;
const OBJECT_ID = 0x06;
const OCTETS = 0x04;
/** Context-specific tags of a certificate's fields. */
const VERSION = 0xa0;
const EXTENSIONS = 0xa3;

/** 2.5.4.3 and 2.5.29.17 as bytes. */
const COMMON_NAME = Buffer.from([0x55, 0x04, 0x03]);
const SUBJECT_ALTERNATIVE_NAME = Buffer.from([0x55, 0x1d, 0x11]);

/** The elements that follow each other in `der`. Only definite lengths of at most four bytes exist in certificates. */
const elementsIn = (der: Buffer): readonly Element[] => {
  const elements: Element[] = [];
  for (let at = 0; at < der.length;) {
    const tag = der[at] ?? 0;
    const first = der[at + 1] ?? 0x80;
    const lengthBytes = first < 0x80 ? 0 : first & 0x7f;
    const start = at + 2 + lengthBytes;
    if ((tag & 0x1f) === 0x1f || first === 0x80 || lengthBytes > 4 || start > der.length)
      throw new MalformedDer();
    const length = lengthBytes === 0 ? first : der.readUIntBE(at + 2, lengthBytes);
    at = start + length;
    if (at > der.length) throw new MalformedDer();
    elements.push({ tag, bytes: der.subarray(start, at) });
  }
  return elements;
};

const content = (element: Element | undefined, tag: number): Buffer => {
  if (element?.tag !== tag) throw new MalformedDer();
  return element.bytes;
};

const commonName = (subject: Element | undefined): string | undefined => {
  const found = elementsIn(content(subject, SEQUENCE))
    .flatMap((set) => elementsIn(content(set, SET)))
    .map((attribute) => elementsIn(content(attribute, SEQUENCE)))
    .filter(([type]) => content(type, OBJECT_ID).equals(COMMON_NAME));
  const value = found[0]?.[1];
  return found.length === 1 && value !== undefined ? textOf(value) : undefined;
};

/** Character sets of a distinguished name that have one meaning. Others, such as T61, give no text. */
const CHARACTER_SETS: Readonly<Record<number, string>> = { 0x0c: "utf-8", 0x13: "ascii", 0x16: "ascii" };

const textOf = ({ tag, bytes }: Element): string | undefined => {
  const characterSet = CHARACTER_SETS[tag];
  if (characterSet === undefined) return undefined;
  return characterSet === "ascii" ? asciiOf(bytes) : printable(utf8Of(bytes));
};

const utf8Of = (bytes: Buffer): string | undefined => {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
};

const asciiOf = (bytes: Buffer): string | undefined =>
  bytes.every((byte) => byte < 0x80) ? printable(bytes.toString("latin1")) : undefined;

const printable = (text: string | undefined): string | undefined =>
  text === undefined || text === "" || /\p{Cc}/u.test(text) ? undefined : text;

/** Tags of a GeneralName (RFC 5280, 4.2.1.6). */
const KINDS = { email: 0x81, dns: 0x82, uri: 0x86 } as const;

const alternativeNames = (
  extensions: Element | undefined,
): Pick<CertificateNames, keyof typeof KINDS> | undefined => {
  if (extensions === undefined) return undefined;
  const [list, ...rest] = elementsIn(extensions.bytes);
  const found = elementsIn(content(list, SEQUENCE))
    .map((extension) => elementsIn(content(extension, SEQUENCE)))
    .filter(([type]) => content(type, OBJECT_ID).equals(SUBJECT_ALTERNATIVE_NAME));
  if (rest.length > 0 || found.length > 1) throw new MalformedDer();
  const value = found[0]?.at(-1);
  if (value === undefined) return undefined;
  const [names, ...more] = elementsIn(content(value, OCTETS));
  if (more.length > 0) throw new MalformedDer();
  const all = elementsIn(content(names, SEQUENCE));
  const named = (kind: number): readonly string[] =>
    all.flatMap(({ tag, bytes }) => (tag === kind ? (asciiOf(bytes) ?? []) : []));
  return { email: named(KINDS.email), dns: named(KINDS.dns), uri: named(KINDS.uri) };
};

/**
 * The names in an X.509 certificate, read from its DER bytes. Texts that describe names, as node has them, can't be split
 * safely: a name may contain any character of the notation.
 */
import {
  type CertificateFields,
  content,
  type DerElement,
  elementsIn,
  fieldsOf,
  MalformedDer,
  OBJECT_ID,
  SEQUENCE,
  SET,
} from "../lib/x509.ts";

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
    const { subject, extensions } = fieldsOf(der);
    return { ...NONE, ...alternativeNames(extensions), cn: commonName(subject) };
  } catch (error) {
    if (error instanceof MalformedDer) return NONE;
    throw error;
  }
};

/** 2.5.4.3 and 2.5.29.17 as bytes. */
const COMMON_NAME = Buffer.from([0x55, 0x04, 0x03]);
const SUBJECT_ALTERNATIVE_NAME = Buffer.from([0x55, 0x1d, 0x11]);

const commonName = (subject: DerElement | undefined): string | undefined => {
  const found = elementsIn(content(subject, SEQUENCE))
    .flatMap((set) => elementsIn(content(set, SET)))
    .map((attribute) => elementsIn(content(attribute, SEQUENCE)))
    .filter(([type]) => content(type, OBJECT_ID).equals(COMMON_NAME));
  const value = found[0]?.[1];
  return found.length === 1 && value !== undefined ? textOf(value) : undefined;
};

/** Character sets of a distinguished name that have one meaning. Others, such as T61, give no text. */
const CHARACTER_SETS: Readonly<Record<number, string>> = { 0x0c: "utf-8", 0x13: "ascii", 0x16: "ascii" };

const textOf = ({ tag, bytes }: DerElement): string | undefined => {
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
  extensions: CertificateFields["extensions"],
): Pick<CertificateNames, keyof typeof KINDS> | undefined => {
  const found = extensions.filter(({ id }) => id.equals(SUBJECT_ALTERNATIVE_NAME));
  if (found.length > 1) throw new MalformedDer();
  const value = found[0]?.value;
  if (value === undefined) return undefined;
  const [names, ...more] = elementsIn(value);
  if (more.length > 0) throw new MalformedDer();
  const all = elementsIn(content(names, SEQUENCE));
  const named = (kind: number): readonly string[] =>
    all.flatMap(({ tag, bytes }) => (tag === kind ? (asciiOf(bytes) ?? []) : []));
  return { email: named(KINDS.email), dns: named(KINDS.dns), uri: named(KINDS.uri) };
};

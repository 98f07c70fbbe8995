/** The fields of an X.509 certificate (RFC 5280), read from its DER bytes, which node's texts of a certificate don't contain. */

export class MalformedDer extends Error {}

export interface DerElement {
  readonly tag: number;
  readonly bytes: Buffer;
}

export interface CertificateFields {
  /** A certificate of version 1 has no version field, and no extensions. */
  readonly hasVersion: boolean;
  readonly subject: DerElement | undefined;
  /** Object identifiers as bytes, and the DER bytes of the values. */
  readonly extensions: readonly { readonly id: Buffer; readonly value: Buffer }[];
}

export const SEQUENCE = 0x30;
export const SET = 0x31;
export const OBJECT_ID = 0x06;
export const OCTETS = 0x04;
/** Context-specific tags of a certificate's fields. */
const VERSION = 0xa0;
const EXTENSIONS = 0xa3;

/**
 * The elements that follow each other in `der`. Only definite lengths of at most four bytes exist in certificates. Throws
 * MalformedDer.
 */
export const elementsIn = (der: Buffer): readonly DerElement[] => {
  const elements: DerElement[] = [];
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

/** The content of an element with this tag. Throws MalformedDer for another one. */
export const content = (element: DerElement | undefined, tag: number): Buffer => {
  if (element?.tag !== tag) throw new MalformedDer();
  return element.bytes;
};

/** Throws MalformedDer. */
export const fieldsOf = (der: Buffer): CertificateFields => {
  const [certificate] = elementsIn(der);
  const [tbs] = elementsIn(content(certificate, SEQUENCE));
  const fields = elementsIn(content(tbs, SEQUENCE));
  // The version is the only field before the serial number, and it is optional.
  const hasVersion = fields[0]?.tag === VERSION;
  const extensions = fields.find(({ tag }) => tag === EXTENSIONS);
  return { hasVersion, subject: fields[hasVersion ? 5 : 4], extensions: extensionsIn(extensions) };
};

const extensionsIn = (field: DerElement | undefined): CertificateFields["extensions"] => {
  if (field === undefined) return [];
  const [list, ...rest] = elementsIn(field.bytes);
  if (rest.length > 0) throw new MalformedDer();
  return elementsIn(content(list, SEQUENCE)).map((extension) => {
    // Between the two there may be a flag: the extension is critical.
    const parts = elementsIn(content(extension, SEQUENCE));
    return { id: content(parts[0], OBJECT_ID), value: content(parts.at(-1), OCTETS) };
  });
};

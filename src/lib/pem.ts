/** The certificates in a PEM text. */
import { X509Certificate } from "node:crypto";

const CERTIFICATE = /-----BEGIN (?:X509 )?CERTIFICATE-----[^-]*-----END (?:X509 )?CERTIFICATE-----/g;

const count = (text: string, pattern: RegExp): number => text.match(pattern)?.length ?? 0;

/** A block without its end: OpenSSL ignores it, and with it a certificate of a file that is being written. */
const isCut = (text: string): boolean =>
  count(text, /-----BEGIN/g) !== count(text, /-----END [A-Z0-9 ]+-----/g);

/** The certificates in the text of a file, or a clause about its fault, to be written after the file's name. */
export const certificatesIn = (text: string): readonly X509Certificate[] | string => {
  if (isCut(text)) return "which has a PEM block without its end";
  try {
    const found = (text.match(CERTIFICATE) ?? []).map((block) => new X509Certificate(block));
    if (found.length > 0) return found;
  } catch {
    // A broken certificate counts as none.
  }
  return "which contains no PEM certificate";
};

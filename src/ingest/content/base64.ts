/** Base64 (RFC 4648, section 4), strictly: `Buffer.from` alone takes anything and drops what it doesn't know. */

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/;

/** The bytes; undefined: it is no base64. The padding may be left out, but not by half. */
export const fromBase64 = (text: string): Buffer | undefined => {
  const rest = text.length % 4;
  if (!BASE64.test(text) || rest === 1 || (rest !== 0 && text.endsWith("="))) return undefined;
  return Buffer.from(text, "base64");
};

/**
 * Strkeys (SEP-23): the 32 bytes of an ed25519 key as text. The first letter shows the kind (`G…` a public key, `S…` a
 * seed). The text is the base32 of a version byte, the key, and a CRC-16/XMODEM in little-endian order.
 */

const ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

const VERSIONS = { account: 6 << 3, seed: 18 << 3 } as const;

export type StrkeyKind = keyof typeof VERSIONS;

const crc16 = (bytes: Buffer): number => {
  let crc = 0;
  for (const byte of bytes) {
    crc ^= byte << 8;
    for (let bit = 0; bit < 8; bit += 1)
      crc = ((crc & 0x8000) === 0 ? crc << 1 : (crc << 1) ^ 0x1021) & 0xffff;
  }
  return crc;
};

/** Decodes 56 characters of five bits to 35 bytes. */
const fromBase32 = (text: string): Buffer => {
  const fives = Array.from(text, (character) => ALPHABET.indexOf(character).toString(2).padStart(5, "0"));
  const bits = fives.join("");
  return Buffer.from(bits.match(/.{8}/g)?.map((byte) => Number.parseInt(byte, 2)) ?? []);
};

/** The 32 bytes of the key; undefined: the text isn't a strkey of this kind. */
export const decodeStrkey = (kind: StrkeyKind, text: string): Buffer | undefined => {
  if (!/^[A-Z2-7]{56}$/.test(text)) return undefined;
  const bytes = fromBase32(text);
  const content = bytes.subarray(0, 33);
  if (bytes[0] !== VERSIONS[kind] || crc16(content) !== bytes.readUInt16LE(33)) return undefined;
  return content.subarray(1);
};

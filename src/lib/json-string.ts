/** Writes UTF-8 bytes as the contents of a JSON string, as `JSON.stringify` does, without making a string of them. */

/** Maximum number of bytes that one byte becomes. */
export const ESCAPE_BYTES = 6;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const FIRST_PLAIN = 0x20;

/** The escapes of the bytes that JSON does not allow in a string. */
const ESCAPES = new Map(
  [...Array(FIRST_PLAIN).keys(), QUOTE, BACKSLASH].map((byte) => [
    byte,
    Buffer.from(JSON.stringify(String.fromCharCode(byte)).slice(1, -1)),
  ]),
);

/**
 * Writes the escaped bytes to `target` from `start` on, and returns the end. `bytes` must be UTF-8; `target` must have room for
 * `ESCAPE_BYTES` times their length.
 */
export const writeEscaped = (bytes: Buffer, target: Buffer, start: number): number => {
  let at = start;
  for (const byte of bytes) {
    if (byte >= FIRST_PLAIN && byte !== QUOTE && byte !== BACKSLASH) target[at++] = byte;
    else for (const part of ESCAPES.get(byte) ?? []) target[at++] = part;
  }
  return at;
};

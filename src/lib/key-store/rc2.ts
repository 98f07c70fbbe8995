/**
 * Decryption with RC2 in CBC mode (RFC 2268). Old PKCS12 files encrypt their certificates with it, and Node has no RC2. The key has
 * as many effective bits as bits.
 */

/** The permutation of RFC 2268, section 2. */
const PERMUTATION = Buffer.from(
  "d978f9c419ddb5ed28e9fd794aa0d89dc67e37832b76538e624c6488448bfba2" +
    "179a59f587b34f1361456d8d09817d32bd8f40eb86b77b0bf09521225c6b4e82" +
    "54d66593ce60b21c7356c014a78cf1dc1275ca1f3bbee4d1423dd430a33cb626" +
    "6fbf0eda4669075727f21d9bbc944303f811c7f690ef3ee706c3d52fc8661ed7" +
    "08e8eade8052eef784aa72ac354d6a2a961ad2715a1549744b9fd05e0418a4ec" +
    "c2e0416e0f51cbcc2491af50a1f47039997c3a8523b8b47afc02365b25559731" +
    "2d5dfa98e38a92ae05df2910676cbac9d300e6cfe19ea82c6316013f58e289a9" +
    "0d38341bab33ffb0bb480c5fb9b1cd2ec5f3db47e5a59c770aa62068fe7fc1ad",
  "hex",
);

const BLOCK = 8;
const ROTATIONS = [1, 2, 3, 5] as const;

/** RFC 2268, section 2: 64 words of 16 bits. */
const expanded = (key: Buffer): Uint16Array => {
  const bytes = Buffer.alloc(128);
  key.copy(bytes);
  const at = (index: number): number => bytes[index] ?? 0;
  for (let index = key.length; index < 128; index += 1)
    bytes[index] = PERMUTATION[(at(index - 1) + at(index - key.length)) & 0xff] ?? 0;
  bytes[128 - key.length] = PERMUTATION[at(128 - key.length)] ?? 0;
  for (let index = 127 - key.length; index >= 0; index -= 1)
    bytes[index] = PERMUTATION[at(index + 1) ^ at(index + key.length)] ?? 0;
  return Uint16Array.from({ length: 64 }, (_, index) => bytes.readUInt16LE(2 * index));
};

/** RFC 2268, section 4: undoes 16 mixing rounds, with a mashing round after 5 and after 11 of them. */
const decryptBlock = (words: Uint16Array, keys: Uint16Array): void => {
  const word = (index: number): number => words[index & 3] ?? 0;
  for (let round = 15; round >= 0; round -= 1) {
    for (let index = 3; index >= 0; index -= 1) {
      const shift = ROTATIONS[index] ?? 0;
      const turned = (word(index) >> shift) | (word(index) << (16 - shift));
      const [one, two, three] = [word(index + 3), word(index + 2), word(index + 1)];
      words[index] = turned - (keys[4 * round + index] ?? 0) - (one & two) - (~one & three);
    }
    if (round !== 11 && round !== 5) continue;
    for (let index = 3; index >= 0; index -= 1)
      words[index] = word(index) - (keys[word(index + 3) & 63] ?? 0);
  }
};

/** Throws RangeError if the padding is wrong, that is, with a wrong key. */
export const decryptRc2 = (key: Buffer, iv: Buffer, encrypted: Buffer): Buffer => {
  const keys = expanded(key);
  const plain = Buffer.alloc(encrypted.length);
  for (let at = 0; at + BLOCK <= encrypted.length; at += BLOCK) {
    const words = Uint16Array.from({ length: 4 }, (_, index) => encrypted.readUInt16LE(at + 2 * index));
    decryptBlock(words, keys);
    const before = at === 0 ? iv : encrypted.subarray(at - BLOCK, at);
    words.forEach((value, index) => {
      plain.writeUInt16LE(value ^ before.readUInt16LE(2 * index), at + 2 * index);
    });
  }
  const padding = plain.at(-1) ?? 0;
  if (encrypted.length % BLOCK !== 0 || padding < 1 || padding > BLOCK) throw new RangeError("Wrong padding");
  return plain.subarray(0, -padding);
};

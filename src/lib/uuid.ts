/** UUIDs of version 7 (RFC 9562): they begin with the time, so that they sort by it. */
import { randomBytes } from "node:crypto";

/** `time` is in milliseconds since the epoch. */
export const uuidV7 = (time: number): string => {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(time, 0, 6);
  bytes.writeUInt8(((bytes[6] ?? 0) & 0x0f) | 0x70, 6);
  bytes.writeUInt8(((bytes[8] ?? 0) & 0x3f) | 0x80, 8);
  const hex = bytes.toString("hex");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
};

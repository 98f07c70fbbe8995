/** Event ids. */
import { tried } from "./guard.ts";

/** A UUID of version 7 (RFC 9562): sorts by its time, in milliseconds. */
export const uuidv7 = (now = Date.now()): string => {
  const bytes = new Uint8Array(19).map(() => Math.random() * 256);
  // Without `crypto`, the bytes of Math.random are used.
  tried(() => crypto.getRandomValues(bytes));
  const random = Array.from(bytes, (byte, i) => (i === 3 ? (byte & 3) | 8 : byte & 15).toString(16)).join("");
  const time = now.toString(16).padStart(12, "0");
  return `${time}7${random}`.replace(/(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
};

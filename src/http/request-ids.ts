/** Ids of requests in the form of a UUID: a random part of this process, and a counter, which costs less than a random id each. */
import { randomUUID } from "node:crypto";

/** Digits of a UUID after its last hyphen. */
const DIGITS = 12;
const WRAP = 16 ** DIGITS;

/** The ids of two processes differ, and the ids of a process can't be guessed by those who have seen none. */
export const createRequestIds = (first = randomUUID()): (() => string) => {
  const process = first.slice(0, -DIGITS);
  let next = Number.parseInt(first.slice(-DIGITS), 16);
  return () => {
    const id = process + next.toString(16).padStart(DIGITS, "0");
    next = (next + 1) % WRAP;
    return id;
  };
};

/**
 * RFC 9110, 15.2: any number of 1xx answers may precede the final one, asked for or not, and are skipped. undici (7.30)
 * breaks the connection at a 100 that it did not ask for, so it gets to read none of them. A 101 stays: it would be
 * followed by another protocol.
 */
import type { Socket } from "node:net";

const INTERIM = /^HTTP\/1\.[01] 1(?!01)\d\d/;
/** Length of the text that INTERIM decides on. */
const STATUS_LENGTH = "HTTP/1.1 100".length;
const HEAD_END = "\r\n\r\n";
/** Longer heads are left to undici, which refuses them. */
const LONGEST_HEAD = 16 * 1024;

export interface FinalAnswers {
  /** A request is being written: what is read next is the beginning of its answer. */
  expectAnswer(): void;
}

type Cut = { readonly pass: Buffer } | { readonly hold: Buffer };

/** Removes whole 1xx answers from the front; holds back what can still become one. */
const cutInterim = (read: Buffer): Cut => {
  let rest = read;
  while (rest.length >= STATUS_LENGTH) {
    if (!INTERIM.test(rest.toString("latin1", 0, STATUS_LENGTH))) return { pass: rest };
    const end = rest.indexOf(HEAD_END);
    if (end === -1) return rest.length > LONGEST_HEAD ? { pass: rest } : { hold: rest };
    rest = rest.subarray(end + HEAD_END.length);
  }
  return { hold: rest };
};

/** To be called before undici gets the socket: it reads by `socket.read()`, which this takes the place of. */
export const onlyFinalAnswers = (socket: Socket): FinalAnswers => {
  const read = socket.read.bind(socket) as () => Buffer | null;
  let atStart = false;
  let held: Buffer | undefined;

  socket.read = (): Buffer | null => {
    const chunk = read();
    if (!atStart || chunk === null) return chunk;
    const cut = cutInterim(held === undefined ? chunk : Buffer.concat([held, chunk]));
    if ("pass" in cut) {
      atStart = false;
      held = undefined;
      return cut.pass;
    }
    held = cut.hold;
    return null;
  };

  return {
    expectAnswer: () => {
      atStart = true;
      held = undefined;
    },
  };
};

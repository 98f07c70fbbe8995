/** Newline-delimited events (NDJSON): one text a line, blank lines left out. */
import { GatewayError } from "../../errors.ts";
import { createPieces, type Cut, type Cutter, type CutterLimits } from "./cutter.ts";

const NEWLINE = 0x0a;
const RETURN = 0x0d;

const isBlank = (line: Buffer): boolean => line.every((byte) => byte <= 0x20);

/** CRLF ends a line too. */
const withoutReturn = (line: Buffer): Buffer => (line.at(-1) === RETURN ? line.subarray(0, -1) : line);

/** The last line needs no newline. Fault: RECORD_TOO_LARGE. */
export const createLineCutter = (limits: CutterLimits): Cutter => {
  const pieces = createPieces();

  const take = (last: Buffer, texts: Buffer[]): void => {
    const line = pieces.take(last);
    if (!isBlank(line)) texts.push(withoutReturn(line));
  };

  const cut = (chunk: Buffer, texts: Buffer[]): GatewayError | undefined => {
    let i = 0;
    while (i < chunk.length) {
      const newline = chunk.indexOf(NEWLINE, i);
      const piece = chunk.subarray(i, newline < 0 ? chunk.length : newline);
      if (pieces.length + piece.length > limits.maxBytes) return new GatewayError("RECORD_TOO_LARGE");
      if (newline < 0) {
        pieces.add(piece);
        return undefined;
      }
      take(piece, texts);
      i = newline + 1;
    }
    return undefined;
  };

  return {
    push: (chunk): Cut => {
      const texts: Buffer[] = [];
      return { fault: cut(chunk, texts), texts };
    },
    end: (): Cut => {
      const texts: Buffer[] = [];
      take(Buffer.alloc(0), texts);
      return { texts, fault: undefined };
    },
  };
};

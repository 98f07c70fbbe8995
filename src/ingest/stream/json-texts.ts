/** JSON texts one after the other, with or without white space between them: the REST Proxy's way to stream. */
import { GatewayError } from "../../errors.ts";
import { createJsonChecker } from "../../lib/json-check.ts";
import { afterSpace } from "../../lib/json-list.ts";
import { tooManyEvents } from "../content/event-list.ts";
import { createPieces, type Cut, type Cutter, type CutterLimits } from "./cutter.ts";

export interface JsonCutterLimits extends CutterLimits {
  /** Texts of one chunk. */
  readonly maxTexts?: number;
}

/**
 * Checks each byte as it comes, so that what is broken is told at the byte that breaks it. A chunk may end anywhere,
 * within a UTF-8 sequence or an escape too. Faults: JSON_INVALID for broken JSON and for an end within a text,
 * RECORD_TOO_LARGE, EVENTS_TOO_MANY.
 */
export const createJsonCutter = ({ maxBytes, maxTexts = Infinity }: JsonCutterLimits): Cutter => {
  const pieces = createPieces();
  const checker = createJsonChecker();

  /** Goes on with the text that is open and begins those that follow; returns the fault that stops it. */
  const cut = (chunk: Buffer, texts: Buffer[]): GatewayError | undefined => {
    let i = 0;
    for (;;) {
      if (pieces.length === 0) i = afterSpace(chunk, i);
      if (i >= chunk.length) return undefined;
      const end = checker.read(chunk, i);
      const { state } = checker;
      if (state === "wrong") return new GatewayError("JSON_INVALID");
      const piece = chunk.subarray(i, end);
      if (pieces.length + piece.length > maxBytes) return new GatewayError("RECORD_TOO_LARGE");
      i = end;
      if (state === "open") {
        pieces.add(piece);
        continue;
      }
      if (texts.length === maxTexts) return tooManyEvents(maxTexts);
      texts.push(pieces.take(piece));
      checker.reset();
    }
  };

  return {
    push: (chunk): Cut => {
      const texts: Buffer[] = [];
      return { fault: cut(chunk, texts), texts };
    },
    end: (): Cut => {
      checker.end();
      if (checker.state === "complete") return { texts: [pieces.take(NOTHING)], fault: undefined };
      if (checker.state === "between") return { texts: [], fault: undefined };
      const message = "The stream ended within an event";
      return { texts: [], fault: new GatewayError("JSON_INVALID", { message }) };
    },
  };
};

const NOTHING = Buffer.alloc(0);

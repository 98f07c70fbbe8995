/** Cuts a stream that arrives in chunks of any size into the texts of single events. */
import { GatewayError } from "../../errors.ts";
import { createJsonChecker } from "../../lib/json-check.ts";
import { afterSpace } from "../../lib/json-list.ts";
import { tooManyEvents } from "../content/event-list.ts";

export interface Cut {
  /** The texts that this chunk completed, in order. A text that lies in one chunk is a slice of it. */
  readonly texts: readonly Buffer[];
  /** The fault after these texts. The rest of the stream can't be read; push nothing more. */
  readonly fault: GatewayError | undefined;
}

/** Buffers at most one unfinished text of at most `maxBytes`. */
export interface Cutter {
  push(chunk: Buffer): Cut;
  /** Call it at the end of the stream: an unfinished text is completed, or is a fault. */
  end(): Cut;
}

interface CutterLimits {
  /** Maximum bytes of one event's text. */
  readonly maxBytes: number;
}

/** The parts of one text that came in several chunks. */
interface Pieces {
  readonly length: number;
  add(piece: Buffer): void;
  /** Returns the whole text and clears the buffer. */
  take(last: Buffer): Buffer;
}

const SMALLEST = 1024;

/** Copies the parts into one growing buffer: a text that arrives byte by byte costs its size, not a buffer per byte. */
const createPieces = (): Pieces => {
  let held: Buffer = Buffer.alloc(0);
  let length = 0;
  const add = (piece: Buffer): void => {
    if (length + piece.length > held.length) {
      const larger = Buffer.allocUnsafe(Math.max(SMALLEST, 2 * (length + piece.length)));
      held.copy(larger, 0, 0, length);
      held = larger;
    }
    length += piece.copy(held, length);
  };
  return {
    get length() {
      return length;
    },
    add,
    take: (last) => {
      if (length === 0) return last;
      add(last);
      const text = held.subarray(0, length);
      held = Buffer.alloc(0);
      length = 0;
      return text;
    },
  };
};

const NEWLINE = 0x0a;
const RETURN = 0x0d;

const isBlank = (line: Buffer): boolean => line.every((byte) => byte <= 0x20);

/** A line may also end with CRLF. */
const withoutReturn = (line: Buffer): Buffer => (line.at(-1) === RETURN ? line.subarray(0, -1) : line);

/**
 * NDJSON: one text per line. Blank lines are skipped, and the last line needs no line break. Fault: RECORD_TOO_LARGE.
 */
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

interface JsonCutterLimits extends CutterLimits {
  /** Maximum number of texts of one chunk. */
  readonly maxTexts?: number;
}

/**
 * Concatenated JSON texts, with or without white space between them, as the REST Proxy streams them. Each byte is checked
 * when it arrives, so broken JSON is reported at the byte that breaks it. A chunk may end anywhere, even within a UTF-8
 * sequence or an escape. Faults: JSON_INVALID for broken JSON and for an end within a text, RECORD_TOO_LARGE,
 * EVENTS_TOO_MANY.
 */
export const createJsonCutter = ({ maxBytes, maxTexts = Infinity }: JsonCutterLimits): Cutter => {
  const pieces = createPieces();
  const checker = createJsonChecker();

  /** Continues the unfinished text and starts the next texts. Returns the fault that stops the stream. */
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

/** Reads the lines of an input of any length with bounded memory. Lines have the numbers that an editor shows. */
import { isUtf8 } from "node:buffer";

export interface Line {
  /** From 1. Blank lines are counted but are not events. */
  readonly number: number;
  /** The source bytes without the line break. Empty if there is a fault. */
  readonly text: Buffer;
  /** Bytes of the input up to the end of the line. */
  readonly end: number;
  /** The reason why the line can't be an event. */
  readonly fault?: string;
}

const NEWLINE = 10;
const BYTE_ORDER_MARK = Buffer.from("\uFEFF");
const NOT_AN_OBJECT = "not a JSON object";

/** Finds faults that every gateway refuses: a batch is an array of JSON objects. */
const faultOf = (text: Buffer): string | undefined => {
  if (!isUtf8(text)) return "not UTF-8";
  try {
    const value: unknown = JSON.parse(text.toString());
    return typeof value === "object" && value !== null && !Array.isArray(value) ? undefined : NOT_AN_OBJECT;
  } catch (error) {
    return `not JSON: ${error instanceof Error ? error.message : "malformed"}`;
  }
};

const isBlank = (text: Buffer): boolean => text.length < 1024 && text.toString("latin1").trim() === "";

interface Collector {
  /** Returns the lines that end in this chunk of the input. */
  push(chunk: Buffer): readonly Line[];
  /** Returns the last line if it has no line break. */
  end(): readonly Line[];
}

const createCollector = (maxBytes: number): Collector => {
  let number = 0;
  let read = 0;
  let held: Buffer[] = [];
  let length = 0;

  const hold = (piece: Buffer): void => {
    length += piece.length;
    if (length > maxBytes) held = [];
    else held.push(piece);
  };

  const finish = (end: number): readonly Line[] => {
    const whole = length > maxBytes ? undefined : Buffer.concat(held);
    held = [];
    length = 0;
    number += 1;
    if (whole === undefined)
      return [{ number, end, text: Buffer.alloc(0), fault: `longer than ${maxBytes} bytes` }];
    const text =
      number === 1 && whole.indexOf(BYTE_ORDER_MARK) === 0 ? whole.subarray(BYTE_ORDER_MARK.length) : whole;
    if (isBlank(text)) return [];
    const fault = faultOf(text);
    return [fault === undefined ? { number, end, text } : { number, end, text: Buffer.alloc(0), fault }];
  };

  return {
    push: (chunk) => {
      const lines: Line[] = [];
      let from = 0;
      for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, from)) {
        hold(chunk.subarray(from, at));
        from = at + 1;
        lines.push(...finish(read + from));
      }
      hold(chunk.subarray(from));
      read += chunk.length;
      return lines;
    },
    end: () => (length === 0 ? [] : finish(read)),
  };
};

/** Yields the lines of each chunk of the input. A line longer than `maxBytes` is a fault, and its bytes are not kept. */
export async function* readLines(
  input: AsyncIterable<Buffer | string>,
  maxBytes: number,
): AsyncGenerator<readonly Line[]> {
  const collector = createCollector(maxBytes);
  for await (const chunk of input) yield collector.push(Buffer.from(chunk));
  yield collector.end();
}

export interface BatchBounds {
  readonly events: number;
  /** Maximum size of all lines together. A longer line is a batch of its own. */
  readonly bytes: number;
}

/**
 * Divides lines into batches. The lines of one chunk don't wait for the next chunk. `bounds` is called for each line.
 * Lines with faults stay in their positions.
 */
export async function* gather(
  lines: AsyncIterable<readonly Line[]>,
  bounds: () => BatchBounds,
): AsyncGenerator<readonly Line[]> {
  for await (const chunk of lines) {
    let batch: Line[] = [];
    let bytes = 0;
    for (const line of chunk) {
      const max = bounds();
      if (batch.length > 0 && (batch.length >= max.events || bytes + line.text.length > max.bytes)) {
        yield batch;
        batch = [];
        bytes = 0;
      }
      batch.push(line);
      bytes += line.text.length + 1;
    }
    if (batch.length > 0) yield batch;
  }
}

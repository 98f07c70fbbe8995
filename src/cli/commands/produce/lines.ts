/** Lines of an input of any length, numbered as an editor numbers them, with bounded memory. */
import { isUtf8 } from "node:buffer";

export interface Line {
  /** From 1 on; blank lines count, and are no events. */
  readonly number: number;
  /** As it came, without its line break; empty where there is a fault. */
  readonly text: Buffer;
  /** Bytes of the input up to its end. */
  readonly end: number;
  /** Why it can be no event. */
  readonly fault?: string;
}

const NEWLINE = 10;
const BYTE_ORDER_MARK = Buffer.from("\uFEFF");
const NOT_AN_OBJECT = "not a JSON object";

/** What no gateway would take: a batch is an array of JSON objects. */
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
  /** The lines that end in this piece of the input. */
  push(chunk: Buffer): readonly Line[];
  /** The last line, where no line break ends it. */
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

/** The lines of the input, in pieces as they come. A line over `maxBytes` is told, and not kept. */
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
  /** Of the lines together; a line that alone is longer makes a batch by itself. */
  readonly bytes: number;
}

/**
 * Lines gathered to batches; what is there when the input pauses does not wait for more. `bounds` is looked at again for
 * each line. Lines with faults travel in theirs.
 */
export async function* gather(
  lines: AsyncIterable<readonly Line[]>,
  bounds: () => BatchBounds,
): AsyncGenerator<readonly Line[]> {
  for await (const some of lines) {
    let batch: Line[] = [];
    let bytes = 0;
    for (const line of some) {
      const most = bounds();
      if (batch.length > 0 && (batch.length >= most.events || bytes + line.text.length > most.bytes)) {
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

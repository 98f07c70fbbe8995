/**
 * The bytes of a bundle: calls for one process in one request, and their answers in the order in which they end. All numbers
 * are unsigned and little-endian.
 *
 *     call:   slot 4 | waiting time 4 | length of the path 4 | length of the body 4 | path | body
 *     answer: place of the call 4 | length of the head 4 | length of the body 4 | JSON of an AnswerHead | body
 *
 * An answer without a head says that the process doesn't hold the slot.
 */
import type { AnswerHead } from "./peers.ts";

export interface BundledCall {
  readonly slot: number;
  readonly waitMs: number;
  readonly path: string;
  readonly body: Buffer;
}

export interface BundledAnswer {
  /** The place of the call in its bundle. */
  readonly place: number;
  /** undefined: the process doesn't hold the slot. */
  readonly head: AnswerHead | undefined;
  readonly body: Buffer;
}

const CALL_BYTES = 16;
const ANSWER_BYTES = 12;

/** Bytes of a call in a bundle. */
export const sizeOfCall = ({ path, body }: Pick<BundledCall, "path" | "body">): number =>
  CALL_BYTES + Buffer.byteLength(path) + body.length;

const numbers = (...values: readonly number[]): Buffer => {
  const bytes = Buffer.allocUnsafe(4 * values.length);
  values.forEach((value, index) => bytes.writeUInt32LE(value, 4 * index));
  return bytes;
};

export const encodeCalls = (calls: readonly BundledCall[]): Buffer =>
  Buffer.concat(
    calls.flatMap(({ slot, waitMs, path, body }) => {
      const name = Buffer.from(path);
      return [numbers(slot, Math.floor(waitMs), name.length, body.length), name, body];
    }),
  );

/** Throws a RangeError if the bytes are no bundle. The bodies are parts of the bytes. */
export const decodeCalls = (bytes: Buffer): readonly BundledCall[] => {
  const calls: BundledCall[] = [];
  for (let at = 0; at < bytes.length;) {
    const [slot, waitMs] = [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4)];
    const bodyAt = at + CALL_BYTES + bytes.readUInt32LE(at + 8);
    const end = bodyAt + bytes.readUInt32LE(at + 12);
    if (end > bytes.length) throw new RangeError("the bundle is too short");
    const path = bytes.toString("utf8", at + CALL_BYTES, bodyAt);
    calls.push({ slot, waitMs, path, body: bytes.subarray(bodyAt, end) });
    at = end;
  }
  return calls;
};

export const encodeAnswer = ({ place, head, body }: BundledAnswer): Buffer => {
  const json = head === undefined ? Buffer.alloc(0) : Buffer.from(JSON.stringify(head));
  return Buffer.concat([numbers(place, json.length, body.length), json, body]);
};

/** Cuts the answers out of a stream. */
export class AnswerReader {
  #rest: Buffer = Buffer.alloc(0);

  /** Bytes that are kept until the rest of their answer comes. */
  get keptBytes(): number {
    return this.#rest.length;
  }

  /** The answers that are complete with this chunk. Their bodies are parts of the chunks. */
  read(chunk: Buffer): readonly BundledAnswer[] {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    const answers: BundledAnswer[] = [];
    let at = 0;
    while (bytes.length - at >= ANSWER_BYTES) {
      const headAt = at + ANSWER_BYTES;
      const bodyAt = headAt + bytes.readUInt32LE(at + 4);
      const end = bodyAt + bytes.readUInt32LE(at + 8);
      if (end > bytes.length) break;
      answers.push({
        place: bytes.readUInt32LE(at),
        head:
          headAt === bodyAt ? undefined : (JSON.parse(bytes.toString("utf8", headAt, bodyAt)) as AnswerHead),
        body: bytes.subarray(bodyAt, end),
      });
      at = end;
    }
    this.#rest = bytes.subarray(at);
    return answers;
  }
}

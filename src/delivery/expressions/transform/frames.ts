/** Frames on a pipe: a length of 4 bytes, and that many bytes. The parent and the child of the sandbox use them. */

const LENGTH_BYTES = 4;

const uint32 = (value: number): Buffer => {
  const bytes = Buffer.allocUnsafe(LENGTH_BYTES);
  bytes.writeUInt32BE(value);
  return bytes;
};

/** The parts of a frame, to be written one after another. */
export const frameOf = (parts: readonly Buffer[]): readonly Buffer[] => [
  uint32(parts.reduce((sum, { length }) => sum + length, 0)),
  ...parts,
];

/** What a transform needs to know of a record, besides its value. */
export interface Description {
  readonly expression: string;
  /** The values of the variables, by their names. */
  readonly variables: Readonly<Record<string, unknown>>;
}

const NO_VALUE = Buffer.from("null");

/** `value` null: the record has no value. */
export const jobFrame = (description: Description, value: Buffer | null): readonly Buffer[] => {
  const head = Buffer.from(JSON.stringify(description));
  return frameOf([uint32(head.length), head, value ?? NO_VALUE]);
};

export const readJobFrame = (
  frame: Buffer,
): { readonly description: Description; readonly value: Buffer } => {
  const end = LENGTH_BYTES + frame.readUInt32BE(0);
  return {
    description: JSON.parse(frame.toString("utf8", LENGTH_BYTES, end)) as Description,
    value: frame.subarray(end),
  };
};

/** Cuts what arrives into frames. */
export const createFrameReader = (onFrame: (frame: Buffer) => void): ((chunk: Buffer) => void) => {
  let chunks: Buffer[] = [];
  let size = 0;
  /** Bytes of the next frame, with its length. */
  let needed = LENGTH_BYTES;

  const join = (): Buffer => {
    const [first] = chunks;
    return chunks.length === 1 && first !== undefined ? first : Buffer.concat(chunks, size);
  };

  return (chunk) => {
    chunks.push(chunk);
    size += chunk.length;
    while (size >= needed) {
      const bytes = join();
      needed = LENGTH_BYTES + bytes.readUInt32BE(0);
      if (size < needed) {
        chunks = [bytes];
        return;
      }
      const rest = bytes.subarray(needed);
      chunks = rest.length === 0 ? [] : [rest];
      size = rest.length;
      onFrame(bytes.subarray(LENGTH_BYTES, needed));
      needed = LENGTH_BYTES;
    }
  };
};

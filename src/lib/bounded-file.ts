/** Reads a file that an operator names: only a regular file, and only up to a size. */
import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";

export class FileFault extends Error {}

/** Throws FileFault, whose message is a clause about the file, or Node's error. */
export const readBoundedFile = (path: string, maxBytes: number): Buffer => {
  // Without O_NONBLOCK, opening a pipe waits for its writer.
  const file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    if (!fstatSync(file).isFile()) throw new FileFault("it is not a regular file");
    const bytes = Buffer.alloc(maxBytes + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length <= maxBytes; length += read)
      read = readSync(file, bytes, length, bytes.length - length, null);
    if (length > maxBytes) throw new FileFault(`it has more than ${maxBytes} bytes`);
    return Buffer.from(bytes.subarray(0, length));
  } finally {
    closeSync(file);
  }
};

/** Confluent's wire format: byte 0, the schema's id as 4 bytes big-endian, and the payload. The first five bytes are the frame. */

export const FRAME_BYTES = 5;

/** A new buffer that begins with the frame. The caller writes the payload of `size` bytes after the frame. */
export const frameFor = (id: number, size: number): Buffer => {
  const framed = Buffer.allocUnsafe(FRAME_BYTES + size);
  framed[0] = 0;
  framed.writeUInt32BE(id, 1);
  return framed;
};

/** Confluent's wire format: byte 0, the schema's id as 4 bytes big-endian, and the payload. */

export const FRAME_BYTES = 5;

/** A new buffer with the frame; `size` is the size of the payload, which the caller writes behind the frame. */
export const frameFor = (id: number, size: number): Buffer => {
  const framed = Buffer.allocUnsafe(FRAME_BYTES + size);
  framed[0] = 0;
  framed.writeUInt32BE(id, 1);
  return framed;
};

/** Content codings of bodies, and the number of bodies that are decoded at the same time. */
import { promisify } from "node:util";
import { brotliDecompress, gunzip, inflate, type BrotliOptions, type ZlibOptions } from "node:zlib";
import { GatewayError } from "../../../errors.ts";
import { createSemaphore, type Semaphore } from "../../../lib/semaphore.ts";

type Decode = (encoded: Buffer, options: ZlibOptions & BrotliOptions) => Promise<Buffer>;

export interface Decoder {
  readonly decode: Decode;
  /** Maximum number of bytes that one encoded byte can become. */
  readonly maxRatio: number;
}

/** DEFLATE can make 258 bytes of two bits. */
const DEFLATE_RATIO = 1032;

const gzip: Decoder = { decode: promisify(gunzip), maxRatio: DEFLATE_RATIO };

const DECODERS: Readonly<Partial<Record<string, Decoder>>> = {
  gzip,
  "x-gzip": gzip,
  deflate: { decode: promisify(inflate), maxRatio: DEFLATE_RATIO },
  br: { decode: promisify(brotliDecompress), maxRatio: Infinity },
};

/**
 * The coding of a body; undefined if the body is not encoded. Throws ENCODING_UNSUPPORTED, also for a list of codings: clients
 * don't send two, and each coding would multiply the size of a zip bomb.
 */
export const decoderFor = (header: string | undefined): Decoder | undefined => {
  if (header === undefined) return undefined;
  const encoding = header.trim().toLowerCase();
  if (encoding === "identity" || encoding === "") return undefined;
  const decoder = Object.hasOwn(DECODERS, encoding) ? DECODERS[encoding] : undefined;
  if (decoder !== undefined) return decoder;
  throw new GatewayError("ENCODING_UNSUPPORTED", { headers: { "Accept-Encoding": "gzip, deflate, br" } });
};

/** The maximum size of the decoded body. */
export const maxDecodedBytes = (encoded: Buffer, { maxRatio }: Decoder, maxBytes: number): number =>
  Math.min(maxBytes, encoded.length * maxRatio);

/** Size of an output chunk. Each chunk costs a buffer and a turn of the event loop. */
const pieceSize = (most: number): number => Math.min(Math.max(most, 16 * 1024), 256 * 1024);

/** Rejects with BODY_TOO_LARGE as soon as the output passes the limit, or with ENCODING_BROKEN. */
export const decoded = async (encoded: Buffer, decoder: Decoder, maxBytes: number): Promise<Buffer> => {
  const chunkSize = pieceSize(Math.min(encoded.length * 8, maxBytes));
  try {
    return await decoder.decode(encoded, { maxOutputLength: maxBytes, chunkSize });
  } catch (cause) {
    const tooLarge = (cause as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE";
    throw new GatewayError(tooLarge ? "BODY_TOO_LARGE" : "ENCODING_BROKEN", { cause });
  }
};

export type Turns = Semaphore;

/** Decoding uses the same threads as the flushes of the embedded log, so few bodies are decoded at the same time. */
export const createTurns = (permits: number): Turns => createSemaphore({ permits, maxWaiting: 1000 });

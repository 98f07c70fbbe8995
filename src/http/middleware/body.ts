/**
 * Request bodies, read by hand: express.raw and express.json cost another 10–90 µs a request. Nothing is read before
 * somebody asks for it, and never more than the limit is kept, encoded or decoded.
 */
import { promisify } from "node:util";
import { brotliDecompress, gunzip, inflate } from "node:zlib";
import type { Request } from "express";
import { GatewayError } from "../../errors.ts";

export interface BodyLimits {
  /** Of the body after decoding. */
  readonly maxBytes: number;
  /** Time in which the whole body must arrive, in milliseconds. */
  readonly timeoutMs: number;
}

export type ReadBody = (request: Request) => Promise<Buffer>;

type Decode = (encoded: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>;

const DECODERS: Readonly<Partial<Record<string, Decode>>> = {
  gzip: promisify(gunzip),
  "x-gzip": promisify(gunzip),
  deflate: promisify(inflate),
  br: promisify(brotliDecompress),
};

/**
 * Reads and decodes a body. Rejects with ENCODING_UNSUPPORTED or BODY_TOO_LARGE before a byte is read where the
 * headers tell; later with BODY_TOO_LARGE, BODY_INCOMPLETE, REQUEST_TIMEOUT or ENCODING_BROKEN.
 */
export const bodyReader =
  (limits: BodyLimits): ReadBody =>
  async (request) => {
    const decode = decoderFor(request.headers["content-encoding"]);
    if (Number(request.headers["content-length"] ?? 0) > limits.maxBytes)
      throw new GatewayError("BODY_TOO_LARGE");
    const body = await collect(request, limits);
    return decode === undefined || body.length === 0 ? body : decoded(body, decode, limits.maxBytes);
  };

/** One encoding, not a list of them: nobody sends two, and each would multiply what a bomb can do. */
const decoderFor = (header: string | undefined): Decode | undefined => {
  if (header === undefined) return undefined;
  const encoding = header.trim().toLowerCase();
  if (encoding === "identity" || encoding === "") return undefined;
  const decode = Object.hasOwn(DECODERS, encoding) ? DECODERS[encoding] : undefined;
  if (decode !== undefined) return decode;
  throw new GatewayError("ENCODING_UNSUPPORTED", { headers: { "Accept-Encoding": "gzip, deflate, br" } });
};

/** zlib stops inflating once its output passes the limit. */
const decoded = async (encoded: Buffer, decode: Decode, maxBytes: number): Promise<Buffer> => {
  try {
    return await decode(encoded, { maxOutputLength: maxBytes });
  } catch (cause) {
    const tooLarge = (cause as NodeJS.ErrnoException).code === "ERR_BUFFER_TOO_LARGE";
    throw new GatewayError(tooLarge ? "BODY_TOO_LARGE" : "ENCODING_BROKEN", { cause });
  }
};

const collect = (request: Request, { maxBytes, timeoutMs }: BodyLimits): Promise<Buffer> =>
  new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    const fail = (error: GatewayError): void => {
      clearTimeout(timer);
      request.off("data", onData).off("end", onEnd).off("close", onClose);
      // What still comes is thrown away, so that the client gets to read its answer.
      request.resume();
      reject(error);
    };
    const onData = (chunk: Buffer): void => {
      size += chunk.length;
      if (size > maxBytes) fail(new GatewayError("BODY_TOO_LARGE"));
      else chunks.push(chunk);
    };
    const onEnd = (): void => {
      clearTimeout(timer);
      request.off("close", onClose);
      const [first] = chunks;
      resolve(first !== undefined && chunks.length === 1 ? first : Buffer.concat(chunks, size));
    };
    const onClose = (): void => {
      fail(new GatewayError("BODY_INCOMPLETE"));
    };
    const onTimeout = (): void => {
      fail(new GatewayError("REQUEST_TIMEOUT", { headers: { Connection: "close" } }));
    };
    const timer = setTimeout(onTimeout, timeoutMs);
    if (request.destroyed) onClose();
    else request.on("data", onData).on("end", onEnd).on("close", onClose);
  });

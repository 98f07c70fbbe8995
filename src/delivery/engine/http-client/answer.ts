/** Collects one answer. Only the first 64 KiB of its body are kept. */
import { brotliDecompressSync, constants, gunzipSync, inflateSync } from "node:zlib";
import type { Dispatcher } from "undici";
import type { HttpResult } from "../delivery-plan.ts";

const MAX_BYTES = 64 * 1024;

const NOTHING = Buffer.alloc(0);

type Decode = (body: Buffer) => Buffer;

/** A truncated body is decoded as far as possible. A body that decodes to more than the limit is left out. */
const BOUNDS = { maxOutputLength: MAX_BYTES, finishFlush: constants.Z_SYNC_FLUSH };
const gunzip: Decode = (body) => gunzipSync(body, BOUNDS);

const DECODERS: ReadonlyMap<string, Decode> = new Map([
  ["gzip", gunzip],
  ["x-gzip", gunzip],
  ["deflate", (body) => inflateSync(body, BOUNDS)],
  [
    "br",
    (body) =>
      brotliDecompressSync(body, {
        maxOutputLength: MAX_BYTES,
        finishFlush: constants.BROTLI_OPERATION_FLUSH,
      }),
  ],
  ["identity", (body) => body],
]);

/**
 * RFC 9110, 12.5.3: the requests have no Accept-Encoding, so the answer may have any encoding. Returns an empty buffer if
 * the body can't be decoded.
 */
const decoded = (body: Buffer, encodings: string): Buffer => {
  try {
    return encodings
      .split(",")
      .map((encoding) => encoding.trim().toLowerCase())
      .filter((encoding) => encoding !== "")
      .reduceRight((content, encoding) => DECODERS.get(encoding)?.(content) ?? NOTHING, body);
  } catch {
    return NOTHING;
  }
};

const textOf = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value.join(", ") : value;

export interface AnswerListener {
  /** Writing of the request begins. */
  onWritten(controller: Dispatcher.DispatchController): void;
  /** `location`: value of the Location header. */
  onAnswer(result: HttpResult, location: string | undefined): void;
  onFailure(error: Error): void;
}

/** Calls either `onAnswer` or `onFailure`, once. */
export const collectAnswer = (listener: AnswerListener): Dispatcher.DispatchHandler => {
  const chunks: Buffer[] = [];
  let size = 0;
  let status = 0;
  let reason: string | undefined;
  let retryAfter: string | undefined;
  let encodings: string | undefined;
  let location: string | undefined;
  let isReported = false;

  const report = (): void => {
    if (isReported) return;
    isReported = true;
    const body = Buffer.concat(chunks);
    const whole = encodings === undefined ? body : decoded(body, encodings);
    listener.onAnswer({ status, ...(reason !== undefined && { reason }), retryAfter, body: whole }, location);
  };

  return {
    onRequestStart: (controller) => {
      listener.onWritten(controller);
    },
    onResponseStart: (_, statusCode, headers, statusMessage) => {
      status = statusCode;
      reason = statusMessage;
      [retryAfter] = [headers["retry-after"]].flat();
      [location] = [headers["location"]].flat();
      encodings = textOf(headers["content-encoding"]);
    },
    onResponseData: (controller, chunk) => {
      chunks.push(chunk.subarray(0, MAX_BYTES - size));
      size += chunk.length;
      if (size <= MAX_BYTES) return;
      report();
      controller.abort(new RangeError(`The body has more than ${MAX_BYTES} bytes`));
    },
    onResponseEnd: () => {
      report();
    },
    onResponseError: (_, error) => {
      if (!isReported) listener.onFailure(error);
    },
  };
};

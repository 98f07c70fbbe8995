/** One answer, collected no further than it is ever looked at. */
import { brotliDecompressSync, constants, gunzipSync, inflateSync } from "node:zlib";
import type { Dispatcher } from "undici";
import type { HttpResult } from "../delivery-plan.ts";

const KEPT_BYTES = 64 * 1024;

const NOTHING = Buffer.alloc(0);

type Decode = (body: Buffer) => Buffer;

/** What is cut off, or decodes to more than is kept, is read as far as it goes or not at all. */
const BOUNDS = { maxOutputLength: KEPT_BYTES, finishFlush: constants.Z_SYNC_FLUSH };
const gunzip: Decode = (body) => gunzipSync(body, BOUNDS);

const DECODERS: ReadonlyMap<string, Decode> = new Map([
  ["gzip", gunzip],
  ["x-gzip", gunzip],
  ["deflate", (body) => inflateSync(body, BOUNDS)],
  [
    "br",
    (body) =>
      brotliDecompressSync(body, {
        maxOutputLength: KEPT_BYTES,
        finishFlush: constants.BROTLI_OPERATION_FLUSH,
      }),
  ],
  ["identity", (body) => body],
]);

/** RFC 9110, 12.5.3: without Accept-Encoding in the request, any encoding may come. Empty: it can't be decoded. */
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
  /** The request is being written. */
  onWritten(controller: Dispatcher.DispatchController): void;
  /** `location`: the answer's header. */
  onAnswer(result: HttpResult, location: string | undefined): void;
  onFailure(error: Error): void;
}

/** Calls `onAnswer` or `onFailure`; after `onAnswer` nothing more. */
export const collectAnswer = (listener: AnswerListener): Dispatcher.DispatchHandler => {
  const chunks: Buffer[] = [];
  let size = 0;
  let status = 0;
  let retryAfter: string | undefined;
  let encodings: string | undefined;
  let location: string | undefined;
  let told = false;

  const tell = (): void => {
    if (told) return;
    told = true;
    const body = Buffer.concat(chunks);
    const whole = encodings === undefined ? body : decoded(body, encodings);
    listener.onAnswer({ status, retryAfter, body: whole }, location);
  };

  return {
    onRequestStart: (controller) => {
      listener.onWritten(controller);
    },
    onResponseStart: (_, statusCode, headers) => {
      status = statusCode;
      [retryAfter] = [headers["retry-after"]].flat();
      [location] = [headers["location"]].flat();
      encodings = textOf(headers["content-encoding"]);
    },
    onResponseData: (controller, chunk) => {
      chunks.push(chunk.subarray(0, KEPT_BYTES - size));
      size += chunk.length;
      if (size <= KEPT_BYTES) return;
      tell();
      controller.abort(new RangeError("More than is ever read"));
    },
    onResponseEnd: () => {
      tell();
    },
    onResponseError: (_, error) => {
      if (!told) listener.onFailure(error);
    },
  };
};

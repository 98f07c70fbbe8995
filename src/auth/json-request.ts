/** Requests to identity providers, whose answers are JSON texts. */
import { request as requestPlain, type IncomingHttpHeaders, type OutgoingHttpHeaders } from "node:http";
import { request as requestEncrypted } from "node:https";

/** Bytes. A longer answer is a failure. */
const MAX_BYTES = 256 * 1024;

/** An answer is missing or wrong. The message says why. */
export class FetchFailure extends Error {
  override readonly name = "FetchFailure";
}

export interface JsonRequest {
  readonly url: string;
  readonly method?: "GET" | "POST";
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string;
}

export interface JsonAnswer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** undefined: the body is not a JSON text. */
  readonly value: unknown;
}

/**
 * Follows no redirect. Rejects with FetchFailure if the answer has more than 256 KiB, and with node's error or the reason of the
 * signal if there is no whole answer.
 */
export type RequestJson = (request: JsonRequest, signal: AbortSignal) => Promise<JsonAnswer>;

/** `ca`: texts of PEM certificates, which are trusted instead of the system's. */
export const createJsonClient =
  (ca: string | undefined): RequestJson =>
  ({ url, method = "GET", headers = {}, body }, signal) =>
    new Promise((resolve, reject) => {
      const sent = { accept: "application/json", "user-agent": "stationgate", ...headers };
      // `agent: false`: there are minutes between two requests, so no connection is kept.
      const options = { agent: false, method, headers: sent, signal };
      // Settings and discovery documents may write the scheme in upper case.
      const parsedUrl = new URL(url);
      const request =
        parsedUrl.protocol === "https:"
          ? requestEncrypted(parsedUrl, { ...options, ca })
          : requestPlain(parsedUrl, options);
      request.on("error", reject).on("response", (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response
          .on("data", (chunk: Buffer) => {
            size += chunk.length;
            chunks.push(chunk);
            if (size > MAX_BYTES)
              request.destroy(new FetchFailure(`${url} answered more than ${MAX_BYTES} bytes`));
          })
          .on("error", reject)
          .on("end", () => {
            const { statusCode: status = 0, headers: received } = response;
            resolve({ status, headers: received, value: parsed(Buffer.concat(chunks).toString()) });
          });
      });
      request.end(body);
    });

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
};

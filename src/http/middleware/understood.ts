/** Requests that the gateway understands only in part are refused: a part that is ignored can be another one's meaning. */
import type { Request } from "express";
import { GatewayError } from "../../errors.ts";

const CLOSE = { Connection: "close" };

/**
 * Throws TRANSFER_ENCODING_UNSUPPORTED for a transfer coding other than `chunked` (RFC 9112 6.1), EXPECTATION_UNKNOWN
 * for an `Expect` other than `100-continue` (RFC 9110 10.1.1), and REQUEST_MALFORMED for several Host headers (RFC 9112
 * 3.2) or for a transfer coding of HTTP/1.0, which has none.
 */
export const requireUnderstood = ({ headers, rawHeaders, httpVersionMinor }: Request): void => {
  const coding = headers["transfer-encoding"];
  if (coding !== undefined) {
    if (coding.trim().toLowerCase() !== "chunked")
      throw new GatewayError("TRANSFER_ENCODING_UNSUPPORTED", { headers: CLOSE });
    if (httpVersionMinor === 0) throw new GatewayError("REQUEST_MALFORMED", { headers: CLOSE });
  }
  if (headers.expect !== undefined && headers.expect.trim().toLowerCase() !== "100-continue")
    throw new GatewayError("EXPECTATION_UNKNOWN", { headers: CLOSE });
  if (hasTwoHosts(rawHeaders)) throw new GatewayError("REQUEST_MALFORMED", { headers: CLOSE });
};

/** node keeps the first of them and drops the others. */
const hasTwoHosts = (rawHeaders: readonly string[]): boolean => {
  let hosts = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i] ?? "";
    if (name.length === 4 && name.toLowerCase() === "host") hosts += 1;
  }
  return hosts > 1;
};

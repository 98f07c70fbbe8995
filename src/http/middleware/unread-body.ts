/** What to do with a body that nobody wants, because its request was answered without it. */
import type { Response } from "express";
import { callOf } from "../call.ts";
import type { BodyLimits } from "./body.ts";

/**
 * To be called before an answer that may leave a body unread. As much as we would have read anyway is read and thrown
 * away, and the connection lives on; for more, or for a length that isn't told, it is closed after the answer.
 */
export const settleUnreadBody = (response: Response, { maxBytes, timeoutMs }: BodyLimits): void => {
  const { request } = callOf(response);
  if (request.complete || response.headersSent) return;
  const { headers } = request;
  const length = Number(headers["content-length"] ?? 0);
  // Who waits to be asked for a body may send it or may not, so that nobody knows what its next bytes are.
  const untold = headers["transfer-encoding"] !== undefined || headers.expect !== undefined;
  if (untold || length > maxBytes) {
    response.setHeader("Connection", "close");
    return;
  }
  if (length === 0) return;
  const timer = setTimeout(() => request.destroy(), timeoutMs).unref();
  request.once("close", () => {
    clearTimeout(timer);
  });
};

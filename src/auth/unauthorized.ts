/** The one answer to every failed authentication. */
import { GatewayError } from "../errors.ts";

/**
 * UNAUTHORIZED, always in the same words: the caller gets no hint of what was wrong. `reason` becomes the error's
 * cause, for the log and the metric of refusals; it is a fixed phrase and never holds what the caller sent.
 */
export const unauthorized = (reason: UnauthorizedReason): GatewayError =>
  new GatewayError("UNAUTHORIZED", { cause: reason });

export type UnauthorizedReason =
  | "no credential"
  | "malformed credential"
  | "invalid token"
  | "wrong login"
  | "unknown account"
  | "credential changed"
  | "wrong api key"
  | "expired api key"
  | "wrong admin token";

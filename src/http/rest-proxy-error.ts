/** Errors as Confluent's REST Proxy tells them, with what it leaves out: whether it is worth to send again. */
import { ERRORS, type GatewayError } from "../errors.ts";

export interface RestProxyError {
  readonly error_code: number;
  readonly message: string;
  /** May the same record be sent again? */
  readonly retriable: boolean;
  /** Nobody knows whether the record is stored. */
  readonly ambiguous?: true;
  readonly retry_after_ms?: number;
}

export const restProxyError = (error: GatewayError, message = error.message): RestProxyError => ({
  error_code: ERRORS[error.code].restProxy,
  message,
  retriable: error.outcome !== "refused",
  ...(error.outcome === "unknown" ? { ambiguous: true } : undefined),
  ...(error.code === "RATE_LIMITED" ? { retry_after_ms: retryAfterMs(error) } : undefined),
});

export const retryAfterMs = ({ retryAfter = 0 }: GatewayError): number => Math.ceil(retryAfter * 1000);

/** The code begins with its HTTP status, but for the server's own failures, of which 50003 is a 503. */
export const restProxyStatus = ({ code, status }: GatewayError): number => {
  const { restProxy } = ERRORS[code];
  if (status >= 500) return status;
  return restProxy < 1000 ? restProxy : Math.trunc(restProxy / 100);
};

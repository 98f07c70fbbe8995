/** The last middleware: the only place where an error becomes an answer. */
import type { ErrorRequestHandler, Response } from "express";
import { asGatewayError, type ErrorCode, type GatewayError } from "../../errors.ts";
import type { Metrics } from "../../observability/metrics.ts";
import { callOf, type Call } from "../call.ts";
import { errorAnswer } from "../families.ts";
import { sendPage, sendText } from "../respond.ts";
import { hideFromOrigin } from "./cors.ts";

export interface ErrorResponderOptions {
  readonly metrics: Pick<Metrics, "authFailed">;
  /** Called before each error's answer, because the body of the request may be unread. */
  readonly settleUnreadBody: (response: Response) => void;
  /** The page for a browser; undefined: the answer has the shape of the family. */
  readonly page?: ErrorPage | undefined;
}

export type ErrorPage = (error: GatewayError, call: Call) => string | undefined;

/** Requests with these errors count as refused for their credential. */
const OF_CREDENTIALS: readonly ErrorCode[] = ["UNAUTHORIZED", "KEYS_UNAVAILABLE"];

/** Express recognises an error handler by its four parameters. */
export const errorResponder =
  ({ metrics, settleUnreadBody, page }: ErrorResponderOptions): ErrorRequestHandler =>
  (thrown: unknown, _request, response, _next) => {
    const call = callOf(response);
    const error = asGatewayError(thrown);
    call.failure = error;
    if (OF_CREDENTIALS.includes(error.code)) metrics.authFailed(reasonOf(error));
    // The answer has begun, so it is cut: the client sees that it is incomplete.
    if (response.headersSent) {
      response.destroy();
      return;
    }
    settleUnreadBody(response);
    setErrorHeaders(response, error);
    const html = page?.(error, call);
    if (html !== undefined) {
      sendPage(response, error.status, html);
      return;
    }
    const { status, contentType, body } = errorAnswer(error, call);
    sendText(response, status, contentType, JSON.stringify(body));
  };

const setErrorHeaders = (response: Response, error: GatewayError): void => {
  if (error.retryAfter !== undefined) response.setHeader("Retry-After", Math.ceil(error.retryAfter));
  if (error.code === "UNAUTHORIZED") response.setHeader("WWW-Authenticate", "Bearer");
  if (error.code === "ORIGIN_FORBIDDEN") hideFromOrigin(response);
  for (const [name, value] of Object.entries(error.headers)) response.setHeader(name, value);
};

/** The label of a refused credential. Verifiers give a fixed text as the cause; other causes are not labels. */
const reasonOf = ({ cause }: GatewayError): string => (typeof cause === "string" ? cause : "other");

/** The last middleware: every failure of every route becomes an answer here, and nowhere else. */
import type { ErrorRequestHandler, Response } from "express";
import { asGatewayError, type GatewayError } from "../../errors.ts";
import type { Metrics } from "../../observability/metrics.ts";
import { callOf, type Call } from "../call.ts";
import { errorAnswer } from "../families.ts";
import { sendPage, sendText } from "../respond.ts";
import { hideFromOrigin } from "./cors.ts";

export interface ErrorResponderOptions {
  readonly metrics: Pick<Metrics, "authFailed">;
  /** Told before each error's answer, whose request may have a body that nobody has read. */
  readonly settleUnreadBody: (response: Response) => void;
  /** What a browser is shown instead; undefined: the error in its family's words. */
  readonly page?: ErrorPage | undefined;
}

export type ErrorPage = (error: GatewayError, call: Call) => string | undefined;

/** Express knows an error handler by its four parameters. */
export const errorResponder =
  ({ metrics, settleUnreadBody, page }: ErrorResponderOptions): ErrorRequestHandler =>
  (thrown: unknown, _request, response, _next) => {
    const call = callOf(response);
    const error = asGatewayError(thrown);
    call.failure = error;
    if (error.code === "UNAUTHORIZED") metrics.authFailed(reasonOf(error));
    // Too late for an answer: what the client has is a torso, and a cut connection says so.
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

/** The verifiers give a fixed phrase as the cause; anything else is no label. */
const reasonOf = ({ cause }: GatewayError): string => (typeof cause === "string" ? cause : "other");

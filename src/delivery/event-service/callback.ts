/** What callbacks of the event service have in common, whoever they go to. */
import { hostAsWritten } from "../engine/http-client/redirects.ts";
import type { Failure } from "../engine/strategy/strategy.ts";
import type { DeliveryRequest, HttpResult } from "../engine/endpoint.ts";

/** A callback's URL, taken apart once. */
export interface CallbackTarget {
  readonly origin: string;
  readonly path: string;
  /** Host, and the port where the URL spells it out: what is signed. */
  readonly host: string;
}

/** `url` is an absolute http or https URL. */
export const callbackTarget = (url: string): CallbackTarget => {
  const { origin, pathname, search } = new URL(url);
  return { origin, path: `${pathname}${search}`, host: hostAsWritten(url) ?? "" };
};

export const callbackRequest = (
  { origin, path, host }: CallbackTarget,
  body: Buffer,
  headers: readonly string[],
): DeliveryRequest => ({
  origin,
  path,
  method: "POST",
  headers: ["Content-Type", "application/json; charset=utf-8", ...headers],
  body,
  followWithin: host,
});

/** As with the Anchor Platform a redirect is a success, but a 307 or 308 that can't be followed. A failure is worth a retry. */
export const classifyCallback = (result: HttpResult): "done" | Failure =>
  !("error" in result) && result.status >= 200 && result.status < 400 ? "done" : "retry";

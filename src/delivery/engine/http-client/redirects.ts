/**
 * Redirects of callbacks. A 307 or 308 is followed if the host stays the host that the request is signed for. Any other
 * redirect would change the method or drop the body, so it is the answer of the attempt.
 */
import type { DeliveryRequest } from "../delivery-plan.ts";

/** Maximum number of redirects that one attempt follows. */
const MAX_REDIRECTS = 5;

const SAME_REQUEST = new Set([307, 308]);

/** Captures host and port without userinfo. No match: the URL is relative. */
const AUTHORITY = /^(?:[a-z][a-z\d+.-]*:)?[\\/]{2}(?:[^\\/?#]*@)?([^\\/?#]*)/i;

/** The host, and the port if the URL contains it (also the default port). This is the text that is signed. */
export const hostAsWritten = (url: string): string | undefined => AUTHORITY.exec(url)?.[1];

const isHttp = ({ protocol }: URL): boolean => protocol === "https:" || protocol === "http:";

/** Compares the host as written and as parsed, because a URL can spell one host in several ways. */
const staysWith = (host: string, location: string, from: URL, to: URL): boolean => {
  const written = hostAsWritten(location);
  if (written === undefined) return to.origin === from.origin;
  return written.toLowerCase() === host.toLowerCase() && to.hostname === from.hostname;
};

const resolved = (location: string, from: URL): URL | undefined =>
  URL.canParse(location, from.href) ? new URL(location, from.href) : undefined;

export interface Redirect {
  readonly status: number;
  /** Value of the Location header. */
  readonly location: string | undefined;
  /** Number of redirects that this attempt has followed. */
  readonly followed: number;
}

/** The next request of the attempt, or why the redirect can't be followed. undefined: the redirect is the attempt's answer. */
export const afterRedirect = (
  request: DeliveryRequest,
  { status, location, followed }: Redirect,
): { readonly request: DeliveryRequest } | { readonly error: string } | undefined => {
  const { followWithin: host } = request;
  if (host === undefined || !SAME_REQUEST.has(status)) return undefined;
  const fault = (text: string) => ({ error: `HTTP status ${status} ${text}` });
  const from = new URL(request.path, request.origin);
  const to = location === undefined || location === "" ? undefined : resolved(location, from);
  if (location === undefined || to === undefined || !isHttp(to))
    return fault("without an http or https URL in Location");
  if (!staysWith(host, location, from, to))
    return fault(`to another host, ${to.host}: only redirects to ${host} are followed`);
  if (from.protocol === "https:" && to.protocol === "http:")
    return fault("from https to http is not followed");
  if (followed >= MAX_REDIRECTS) return fault(`after ${MAX_REDIRECTS} redirects, the maximum number`);
  return { request: { ...request, origin: to.origin, path: `${to.pathname}${to.search}` } };
};

/**
 * Redirects of callbacks. A 307 or 308 asks for the same request at another URL; it is followed as long as the host stays
 * the one that the request is signed for. Any other redirect would change the method or drop the body: it is an answer.
 */
import type { DeliveryRequest } from "../delivery-plan.ts";

/** Redirects that one attempt follows. */
const MOST = 5;

const SAME_REQUEST = new Set([307, 308]);

/** User information aside; undefined: the URL is relative to another one. */
const AUTHORITY = /^(?:[a-z][a-z\d+.-]*:)?[\\/]{2}(?:[^\\/?#]*@)?([^\\/?#]*)/i;

/** The host, and the port where the URL spells it out, even if it is the scheme's own: what is signed. */
export const hostAsWritten = (url: string): string | undefined => AUTHORITY.exec(url)?.[1];

const isHttp = ({ protocol }: URL): boolean => protocol === "https:" || protocol === "http:";

/** The host is compared as it is written, and again as it was understood: a URL has more spellings than one. */
const staysWith = (host: string, location: string, from: URL, to: URL): boolean => {
  const written = hostAsWritten(location);
  if (written === undefined) return to.origin === from.origin;
  return written.toLowerCase() === host.toLowerCase() && to.hostname === from.hostname;
};

const resolved = (location: string, from: URL): URL | undefined =>
  URL.canParse(location, from.href) ? new URL(location, from.href) : undefined;

export interface Redirect {
  readonly status: number;
  /** The answer's header. */
  readonly location: string | undefined;
  /** Redirects that this attempt has followed before. */
  readonly followed: number;
}

/** The next request of the attempt, or why there is none; undefined: the answer is the attempt's own. */
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
  if (followed >= MOST) return fault(`after ${MOST} redirects, the most that are followed`);
  return { request: { ...request, origin: to.origin, path: `${to.pathname}${to.search}` } };
};

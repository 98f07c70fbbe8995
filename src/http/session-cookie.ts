/** The cookie of an operator's session, and the check of the requests that may use it. */
import type { Request, Response } from "express";
import type { OperatorSession } from "../auth/operator.ts";

const NAME = "stationgate-session";

/** `Secure` if the browser uses HTTPS, which a trusted proxy may report. */
const attributesOf = ({ secure }: Request): string =>
  `; Path=/; HttpOnly; SameSite=Strict${secure ? "; Secure" : ""}`;

export const setSession = (request: Request, response: Response, session: OperatorSession): void => {
  const expires = new Date(session.expires).toUTCString();
  response.setHeader("Set-Cookie", `${NAME}=${session.value}; Expires=${expires}${attributesOf(request)}`);
};

export const clearSession = (request: Request, response: Response): void => {
  response.setHeader("Set-Cookie", `${NAME}=; Max-Age=0${attributesOf(request)}`);
};

/**
 * The session of a request; undefined if the request has no session that counts. A browser also sends the cookie for requests
 * of other sites' pages, and of other ports of this host. So a request that changes something counts only if it comes from a
 * page of this gateway: by `Sec-Fetch-Site`, or, in browsers without it, by an `Origin` with this host.
 */
export const sessionOf = (request: Request, changes: boolean): string | undefined => {
  const value = cookieNamed(NAME, request.headers.cookie);
  if (value === undefined) return undefined;
  return isOurOwn(request) || (!changes && isHarmless(request)) ? value : undefined;
};

const isOurOwn = (request: Request): boolean => {
  const { origin, "sec-fetch-site": site } = request.headers;
  if (site !== undefined) return site === "same-origin";
  return origin !== undefined && URL.canParse(origin) && new URL(origin).host === request.host;
};

/**
 * True if a page of another site makes the request. Browsers also send Basic credentials with such requests, like a cookie.
 * Programs send neither `Origin` nor `Sec-Fetch-Site`.
 */
export const isOfAnotherSite = (request: Request): boolean => {
  const { origin, "sec-fetch-site": site } = request.headers;
  return (site ?? origin) !== undefined && !isOurOwn(request);
};

/** A navigation, or a request without the headers above: other origins can't read the answer. */
const isHarmless = ({ headers }: Request): boolean => {
  const { "sec-fetch-site": site, "sec-fetch-mode": mode } = headers;
  return site === undefined || site === "none" || mode === "navigate";
};

const cookieNamed = (name: string, header: string | undefined): string | undefined =>
  header
    ?.split(";")
    .map((pair) => pair.trim())
    .find((pair) => pair.startsWith(`${name}=`))
    ?.slice(name.length + 1);

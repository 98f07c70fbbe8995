/** The cookie of an operator's session, and which requests it counts for. */
import type { Request, Response } from "express";
import type { OperatorSession } from "../auth/operator.ts";

const NAME = "stationgate-session";

/** `Secure` where the browser came by HTTPS, which a proxy that is trusted may say. */
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
 * The session that a request brings. A browser sends the cookie along whoever has made it ask, other ports of this
 * host included: so a request that changes something has to prove that one of our own pages makes it, by
 * `Sec-Fetch-Site` or, where the browser doesn't send that, by an `Origin` that is this host. undefined: it brings
 * none, or none that counts.
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
 * A browser sends Basic credentials along as it does a cookie, and programs send no header that says who asks: what changes
 * something must not come from a page of another site.
 */
export const isOfAnotherSite = (request: Request): boolean => {
  const { origin, "sec-fetch-site": site } = request.headers;
  return (site ?? origin) !== undefined && !isOurOwn(request);
};

/** Going to a page, or asking where the browser doesn't say who asks: answers can't be read by other origins. */
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

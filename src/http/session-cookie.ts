/** The cookie of an operator's session, and the check that a page of another site did not send a request. */
import type { Request, Response } from "express";
import type { OperatorSession } from "../auth/operators/operator-sessions.ts";
import type { AmbientCredential } from "../auth/operators/operators.ts";

const NAME = "stationgate-session";

export interface SessionCookies {
  set(call: Exchange, session: OperatorSession): void;
  clear(call: Exchange): void;
}

interface Exchange {
  readonly request: Request;
  readonly response: Response;
}

/**
 * `publicUrl` is the URL that browsers use. Without it, the cookie is `Secure` if the request came by HTTPS, which a trusted
 * proxy may report.
 */
export const sessionCookies = (publicUrl: string | undefined): SessionCookies => {
  const attributesOf = ({ secure }: Request): string => {
    const isSecure = publicUrl === undefined ? secure : /^https:/i.test(publicUrl);
    return `; Path=/; HttpOnly; SameSite=Strict${isSecure ? "; Secure" : ""}`;
  };
  return {
    set: ({ request, response }, { value, expires }) => {
      const end = `; Expires=${new Date(expires).toUTCString()}`;
      response.appendHeader("Set-Cookie", `${NAME}=${value}${end}${attributesOf(request)}`);
    },
    clear: ({ request, response }) => {
      response.appendHeader("Set-Cookie", `${NAME}=; Max-Age=0${attributesOf(request)}`);
    },
  };
};

/** The session of a request; undefined: the request has none. */
export const sessionOf = (request: Request): string | undefined => cookieNamed(NAME, request);

const ALL: readonly AmbientCredential[] = ["session", "basic", "certificate"];
const SESSION: readonly AmbientCredential[] = ["session"];
const NONE: readonly AmbientCredential[] = [];

/**
 * The credentials that don't count in this request. A browser adds them to the requests of other sites' pages too, and of
 * pages of other ports of this host. So they count in a request that changes something only if the request comes from a page of
 * this gateway: by `Sec-Fetch-Site`, or, in browsers without it, by an `Origin` with this host, and with https if browsers use
 * this host by HTTPS (`publicUrl`). A program sends neither header, and it has no session. In a navigation with GET they never
 * count for a change: a link, or a redirect after the sign-in, can lead the browser to any path.
 */
export const refusedCredentials = (
  request: Request,
  changes: boolean,
  publicUrl?: string,
): readonly AmbientCredential[] => {
  const { origin, "sec-fetch-site": site } = request.headers;
  if (!changes) return isHarmless(request) || isOurOwn(request, publicUrl) ? NONE : SESSION;
  if (site === undefined && origin === undefined) return SESSION;
  if (request.method === "GET" && isNavigation(request)) return ALL;
  return isOurOwn(request, publicUrl) ? NONE : ALL;
};

const isOurOwn = (request: Request, publicUrl: string | undefined): boolean => {
  const { origin, "sec-fetch-site": site } = request.headers;
  if (site !== undefined) return site === "same-origin";
  if (origin === undefined || !URL.canParse(origin)) return false;
  const { protocol, host } = new URL(origin);
  // Both URLs omit the default port of the scheme.
  const own = `${protocol}//${request.host}`;
  if (host === "" || !URL.canParse(own) || new URL(own).host !== host) return false;
  return protocol === "https:" || !isHttps(request, host, publicUrl);
};

/**
 * True if browsers use this host by HTTPS: a page of the same host by HTTP is then a page of another site. False does not prove
 * the contrary: a proxy that is not trusted may have removed the TLS.
 */
const isHttps = ({ secure }: Request, host: string, publicUrl: string | undefined): boolean => {
  if (secure || publicUrl === undefined) return secure;
  const url = new URL(publicUrl);
  return url.protocol === "https:" && url.host === host;
};

/** A navigation, or a request without the header: other origins can't read the answer. */
const isHarmless = ({ headers }: Pick<Request, "headers">): boolean => {
  const { "sec-fetch-site": site } = headers;
  return site === undefined || site === "none" || isNavigation({ headers });
};

const isNavigation = ({ headers }: Pick<Request, "headers">): boolean =>
  headers["sec-fetch-mode"] === "navigate";

const pairsOf = ({ headers }: Request): readonly string[] =>
  headers.cookie?.split(";").map((pair) => pair.trim()) ?? [];

/** The value of a cookie. */
export const cookieNamed = (name: string, request: Request): string | undefined =>
  pairsOf(request)
    .find((pair) => pair.startsWith(`${name}=`))
    ?.slice(name.length + 1);

/** In the order of the request. */
export const cookieNames = (request: Request): readonly string[] =>
  pairsOf(request).map((pair) => pair.split("=", 1)[0] ?? "");

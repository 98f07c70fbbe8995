/** CORS (Fetch standard), always without the browser's own credentials. */
import type { Request, RequestHandler, Response } from "express";

const METHODS = "GET,POST,HEAD,PUT,DELETE,PATCH";
const EXPOSED = "Retry-After,X-Request-Id,RateLimit-Limit,RateLimit-Remaining,RateLimit-Reset";
/** Seconds for which a browser may cache the answer of a preflight. */
const MAX_AGE = "600";

export interface CorsOptions {
  /** Origins whose pages may read answers; `*` means any origin. */
  readonly origins: readonly string[];
}

/** Adds the allowed origin to every answer, and answers preflights. */
export const cors = ({ origins }: CorsOptions): RequestHandler => {
  const allowed = new Set(origins.map((origin) => origin.toLowerCase()));
  const mark = allowed.has("*") ? allowAny : allowListed(allowed);
  return (request, response, next) => {
    mark(request, response);
    if (request.method === "OPTIONS" && request.headers["access-control-request-method"] !== undefined) {
      answerPreflight(request, response);
      return;
    }
    response.setHeader("Access-Control-Expose-Headers", EXPOSED);
    next();
  };
};

/** Answers OPTIONS requests without a route like preflights. */
export const answerPreflight = (request: Request, response: Response): void => {
  response.statusCode = 204;
  response.setHeader("Access-Control-Allow-Methods", METHODS);
  const asked = request.headers["access-control-request-headers"];
  if (asked !== undefined) {
    response.setHeader("Access-Control-Allow-Headers", asked);
    response.appendHeader("Vary", "Access-Control-Request-Headers");
  }
  response.setHeader("Access-Control-Max-Age", MAX_AGE);
  response.end();
};

/** For a principal with `origins`: the answer names the request's origin, and varies by it in caches. */
export const narrowToOrigin = (response: Response, origin: string): void => {
  if (response.getHeader("Access-Control-Allow-Origin") !== "*") return;
  response.setHeader("Access-Control-Allow-Origin", origin);
  response.appendHeader("Vary", "Origin");
};

/** Removes the allowed origin, so that the page can't read the answer. */
export const hideFromOrigin = (response: Response): void => {
  response.removeHeader("Access-Control-Allow-Origin");
};

const allowAny = (_request: Request, response: Response): void => {
  response.setHeader("Access-Control-Allow-Origin", "*");
};

const allowListed =
  (allowed: ReadonlySet<string>) =>
  (request: Request, response: Response): void => {
    response.setHeader("Vary", "Origin");
    const { origin } = request.headers;
    if (origin === undefined || !allowed.has(origin.toLowerCase())) return;
    response.setHeader("Access-Control-Allow-Origin", origin);
  };

/** CORS (Fetch standard), always without the browser's own credentials. */
import type { Request, Response } from "express";

const METHODS = "GET,POST,HEAD,PUT,DELETE,PATCH";
const ALLOW_ORIGIN = "Access-Control-Allow-Origin";
/** On each answer that is not that of a preflight. */
export const EXPOSE: Header = [
  "Access-Control-Expose-Headers",
  "Retry-After,X-Request-Id,RateLimit-Limit,RateLimit-Remaining,RateLimit-Reset",
];
/** Seconds for which a browser may cache the answer of a preflight. */
const MAX_AGE = "600";

export interface CorsOptions {
  /** Origins whose pages may read answers; `*` means any origin. */
  readonly origins: readonly string[];
}

type Header = readonly [name: string, value: string];

interface Cors {
  /** The headers of an answer to this origin; undefined: those of the answers to all others. */
  readonly toOrigin: (origin: string) => readonly Header[] | undefined;
  readonly toOthers: readonly Header[];
}

export const createCors = ({ origins }: CorsOptions): Cors => {
  const allowed = new Set(origins.map((origin) => origin.toLowerCase()));
  if (allowed.has("*")) return { toOrigin: () => undefined, toOthers: [[ALLOW_ORIGIN, "*"]] };
  const vary: Header = ["Vary", "Origin"];
  return {
    toOrigin: (origin) => (allowed.has(origin.toLowerCase()) ? [vary, [ALLOW_ORIGIN, origin]] : undefined),
    toOthers: [vary],
  };
};

export const isPreflight = ({ method, headers }: Request): boolean =>
  method === "OPTIONS" && headers["access-control-request-method"] !== undefined;

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
  if (response.getHeader(ALLOW_ORIGIN) !== "*") return;
  response.setHeader(ALLOW_ORIGIN, origin);
  response.appendHeader("Vary", "Origin");
};

/** Removes the allowed origin, so that the page can't read the answer. */
export const hideFromOrigin = (response: Response): void => {
  response.removeHeader(ALLOW_ORIGIN);
};

/** The headers that every answer has: the request id, the security headers and those of CORS. Answers preflights. */
import type { RequestHandler } from "express";
import { callOf } from "../call.ts";
import { prepareHeaders, setPreparedHeaders } from "../fast-path/answer.ts";
import { answerPreflight, type CorsOptions, createCors, EXPOSE, isPreflight } from "./cors.ts";
import { securityHeaders } from "./security-headers.ts";

/** `options`: absent, answers have no headers of CORS, and preflights are requests like others. */
export const firstHeaders = (options?: CorsOptions): RequestHandler => {
  const ofAll = prepareHeaders(securityHeaders());
  if (options === undefined) {
    return (_request, response, next) => {
      setPreparedHeaders(response, callOf(response).id, ofAll);
      next();
    };
  }
  const cors = createCors(options);
  const ofMost = prepareHeaders([...ofAll.entries, ...cors.toOthers, EXPOSE]);
  return (request, response, next) => {
    const { id } = callOf(response);
    const { origin } = request.headers;
    const toOrigin = origin === undefined ? undefined : cors.toOrigin(origin);
    const isAsking = isPreflight(request);
    if (toOrigin === undefined && !isAsking) {
      setPreparedHeaders(response, id, ofMost);
      next();
      return;
    }
    setPreparedHeaders(response, id, ofAll);
    for (const [name, value] of toOrigin ?? cors.toOthers) response.setHeader(name, value);
    if (isAsking) {
      answerPreflight(request, response);
      return;
    }
    response.setHeader(...EXPOSE);
    next();
  };
};

/** Writes answers. A body is written whole, so that node adds Content-Length. */
import type { Request, Response } from "express";
import { sendAtOnce } from "./fast-path/answer.ts";

export const sendText = (
  response: Response,
  status: number,
  contentType: string,
  body: string | Buffer,
): void => {
  response.statusCode = status;
  if (typeof body === "string" && sendAtOnce(response, contentType, body)) return;
  response.setHeader("Content-Type", contentType);
  response.end(body);
};

export const sendJson = (response: Response, status: number, value: unknown): void => {
  sendText(response, status, "application/json", JSON.stringify(value));
};

/** The Content-Security-Policy of HTML pages. A page may load files and call routes of its own origin. Inline code and other origins are blocked. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "require-trusted-types-for 'script'",
  "trusted-types 'none'",
].join("; ");

/** True if the client prefers HTML to JSON. A client that accepts anything gets JSON. */
export const wantsPage = (request: Request): boolean =>
  request.accepts("application/json", "text/html") === "text/html";

export const sendPage = (response: Response, status: number, html: string | Buffer): void => {
  response.setHeader("Content-Security-Policy", POLICY);
  response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
  response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
  // Without a referrer, the Origin of a form would be "null".
  response.setHeader("Referrer-Policy", "same-origin");
  response.setHeader("Cache-Control", "no-store");
  sendText(response, status, "text/html; charset=utf-8", html);
};

/** Answers. Bodies are written whole, so that node adds their length. */
import type { Request, Response } from "express";

export const sendText = (
  response: Response,
  status: number,
  contentType: string,
  body: string | Buffer,
): void => {
  response.statusCode = status;
  response.setHeader("Content-Type", contentType);
  response.end(body);
};

export const sendJson = (response: Response, status: number, value: unknown): void => {
  sendText(response, status, "application/json", JSON.stringify(value));
};

/** Pages for operators: who gets one instead of JSON, and what a page of ours may do. */

/** Its own files and this origin's routes; nothing inline, nothing of others, and no text is ever taken for markup. */
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

/** Does the client want a page rather than JSON? A client that takes anything gets JSON. */
export const wantsPage = (request: Request): boolean =>
  request.accepts("application/json", "text/html") === "text/html";

export const sendPage = (response: Response, status: number, html: string | Buffer): void => {
  response.setHeader("Content-Security-Policy", POLICY);
  response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
  response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
  // A form's Origin would be "null" without one.
  response.setHeader("Referrer-Policy", "same-origin");
  response.setHeader("Cache-Control", "no-store");
  sendText(response, status, "text/html; charset=utf-8", html);
};

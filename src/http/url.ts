/** The parts of a request's URL. Express's own query parser is off, and its path parameters may be lists. */
import type { Request } from "express";

export type Query = Pick<URLSearchParams, "get" | "getAll" | "has" | "entries">;

const EMPTY: Query = new URLSearchParams();

/** The path as the client sent it, percent-encoded. */
export const pathOf = (url: string): string => {
  const at = url.indexOf("?");
  return at < 0 ? url : url.slice(0, at);
};

/** The text after the question mark; empty if the URL has no query. */
export const queryTextOf = (url: string): string => {
  const at = url.indexOf("?");
  return at < 0 ? "" : url.slice(at + 1);
};

/** The query parameters. */
export const queryOf = ({ url }: Pick<Request, "url">): Query =>
  url.includes("?") ? new URLSearchParams(queryTextOf(url)) : EMPTY;

/** A parameter of the route's path, percent-decoded; empty if the path has no such segment. */
export const pathParameter = ({ params }: Pick<Request, "params">, name: string): string => {
  const value = params[name];
  return typeof value === "string" ? value : "";
};

/** A name for each request: the client's own where it is harmless, for tracing across services, else a new one. */
import { randomUUID } from "node:crypto";
import type { Request } from "express";

const HARMLESS = /^[\w.-]{1,128}$/;

export const requestIdOf = (request: Request): string => {
  const given = request.headers["x-request-id"];
  return typeof given === "string" && HARMLESS.test(given) ? given : randomUUID();
};

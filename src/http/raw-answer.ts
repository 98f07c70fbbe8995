/** Answers as bytes, for connections on which Express has no request. */
import { randomUUID } from "node:crypto";
import type { GatewayError } from "../errors.ts";
import { problemDocument } from "./families.ts";

/** The last answer of a connection: a problem document with the headers of the error. */
export const rawAnswer = (error: GatewayError): string => {
  const document = problemDocument(error, randomUUID());
  const body = JSON.stringify(document);
  const head = [
    `HTTP/1.1 ${error.status} ${String(document["title"])}`,
    "Content-Type: application/problem+json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "Connection: close",
    ...Object.entries(error.headers).map(([name, value]) => `${name}: ${value}`),
  ];
  return `${head.join("\r\n")}\r\n\r\n${body}`;
};

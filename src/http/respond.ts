/** Answers. Bodies are written whole, so that node adds their length. */
import type { Response } from "express";

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

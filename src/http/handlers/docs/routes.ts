/** `/openapi.json` and `/docs`: the documentation of all routes of a listener, including these two. */
import { createHash } from "node:crypto";
import type { Call } from "../../call.ts";
import { docsPage, openApi } from "../operations/documentation.ts";
import { DOCS_STYLE, renderDocsPage } from "./page.ts";
import { openApiDocument, type OpenApiInfo } from "../../openapi/openapi.ts";
import { sendText } from "../../respond.ts";
import type { Route } from "../../routes.ts";

export interface DocumentationOptions {
  readonly info: OpenApiInfo;
  /** `admin` on the operators' listener. */
  readonly auth: "none" | "admin";
}

/** The page may use only the style that it contains. */
const POLICY = `default-src 'none'; style-src 'sha256-${createHash("sha256").update(DOCS_STYLE).digest("base64")}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`;

/** Calls `make` at the first use and keeps the result. */
const once = <T>(make: () => T): (() => T) => {
  let made: T | undefined;
  return () => (made ??= make());
};

/** Returns the routes and the two documentation routes. The document and the page are made at the first request. */
export const withDocumentation = (
  routes: readonly Route[],
  { info, auth }: DocumentationOptions,
): readonly Route[] => {
  const document = once(() => openApiDocument(info, all));
  const json = once(() => Buffer.from(JSON.stringify(document())));
  const page = once(() => Buffer.from(renderDocsPage(document())));
  const row = { method: "GET", auth, family: "problem" } as const;
  const all: readonly Route[] = [
    ...routes,
    {
      ...row,
      path: "/openapi.json",
      documentation: openApi,
      handler: ({ response }: Call) => {
        sendText(response, 200, "application/json", json());
      },
    },
    {
      ...row,
      path: "/docs",
      documentation: docsPage,
      handler: ({ response }: Call) => {
        response.setHeader("Content-Security-Policy", POLICY);
        sendText(response, 200, "text/html; charset=utf-8", page());
      },
    },
  ];
  return all;
};

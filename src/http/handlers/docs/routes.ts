/** `/openapi.json` and `/docs`: a listener's routes described, these two among them. */
import { createHash } from "node:crypto";
import type { Call } from "../../call.ts";
import { docsPage, openApi } from "../operations/documentation.ts";
import { DOCS_STYLE, renderDocsPage } from "./page.ts";
import { openApiDocument, type OpenApiInfo } from "../../openapi/openapi.ts";
import { sendText } from "../../respond.ts";
import type { Route } from "../../routes.ts";

export interface DocumentationOptions {
  readonly info: OpenApiInfo;
  /** Who may read: operators on their own listener. */
  readonly auth: "none" | "admin";
}

/** The page may have its one style, which stands inside it, and nothing else. */
const POLICY = `default-src 'none'; style-src 'sha256-${createHash("sha256").update(DOCS_STYLE).digest("base64")}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'`;

/** Makes it when it is asked for, and only then. */
const once = <T>(make: () => T): (() => T) => {
  let made: T | undefined;
  return () => (made ??= make());
};

/** The rows themselves and those that describe them. What isn't asked for isn't drawn, and nothing is drawn twice. */
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

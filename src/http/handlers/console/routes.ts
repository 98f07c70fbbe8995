/** The routes of the operators' console: its page and its files. */
import { createHash } from "node:crypto";
import type { Request } from "express";
import { escapeHtml } from "../../../lib/html.ts";
import type { ErrorPage } from "../../middleware/error-responder.ts";
import { sendPage, sendText, wantsPage } from "../../respond.ts";
import type { OpenRoute } from "../../routes.ts";
import { providerLink } from "../sign-in/pages.ts";
import * as documentation from "./documentation.ts";

/** The console's files, read once. */
export interface ConsoleFiles {
  /** The page for operators with a session. */
  readonly page: string;
  /** The sign-in page. An error text replaces `<!--refusal-->`, the link to the identity provider `<!--provider-->`. */
  readonly signIn: string;
  /** Texts by file name. They contain no data, so they need no credential. */
  readonly assets: ReadonlyMap<string, string>;
}

export interface ConsoleDependencies {
  readonly files: ConsoleFiles;
  /** `GET /` for clients that prefer JSON. */
  readonly front: OpenRoute;
}

const TYPES: Readonly<Record<string, string>> = {
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
};

export const consoleRoutes = (dependencies: ConsoleDependencies): readonly OpenRoute[] => [
  pageRoute(dependencies),
  ...[...dependencies.files.assets].map(([name, text]) => assetRoute(name, text)),
];

const pageRoute = ({ front, files }: ConsoleDependencies): OpenRoute => {
  const page = Buffer.from(files.page);
  return {
    ...front,
    documentation: front.documentation && documentation.withPage(front.documentation),
    handler: (call) => {
      call.response.vary("Accept");
      if (!wantsPage(call.request)) return front.handler(call);
      sendPage(call.response, 200, page);
    },
  };
};

const assetRoute = (name: string, text: string): OpenRoute => {
  const bytes = Buffer.from(text);
  const etag = `"${createHash("sha256").update(text).digest("base64url")}"`;
  const type = TYPES[name.slice(name.lastIndexOf(".") + 1)] ?? "application/octet-stream";
  return {
    method: "GET",
    path: `/console/${name}`,
    auth: "none",
    family: "problem",
    quiet: true,
    documentation: undefined,
    handler: ({ request, response }) => {
      // The browser asks each time, so that it never combines old and new files after an upgrade.
      response.setHeader("Cache-Control", "no-cache");
      response.setHeader("Cross-Origin-Resource-Policy", "same-origin");
      response.setHeader("ETag", etag);
      if (request.headers["if-none-match"]?.includes(etag) === true) {
        response.statusCode = 304;
        response.end();
        return;
      }
      sendText(response, 200, type, bytes);
    },
  };
};

const REFUSALS: Readonly<Partial<Record<string, string>>> = {
  UNAUTHORIZED: "This is not the operators’ token.",
  LOGIN_THROTTLED: "Too many wrong tokens from this address. Try again in a minute.",
};

/**
 * The sign-in page, which a browser without a valid credential gets instead of a problem document, and after a failed sign-in.
 * `label` is the name of the identity provider. undefined: the settings name no identity provider.
 */
export const signInPage =
  ({ signIn }: ConsoleFiles, label?: string): ErrorPage =>
  (error, { request }) => {
    const refusal = error.code === "SIGN_IN_FAILED" ? error.message : REFUSALS[error.code];
    if (refusal === undefined || !wantsPage(request)) return undefined;
    // A browser that only opened the page has sent no token, so there is no error to show.
    const hasFailed = error.code === "SIGN_IN_FAILED" || isAttempt(request);
    const link = label === undefined ? "" : providerLink(label, pathToReturnTo(request));
    // Functions, because `$` has a meaning in replacement texts.
    return signIn
      .replace("<!--refusal-->", () => (hasFailed ? `<p role="alert">${escapeHtml(refusal)}</p>` : ""))
      .replace("<!--provider-->", () => link);
  };

const isAttempt = ({ method, path }: Request): boolean => method === "POST" && path === "/session";

/** A page of the console: the browser asked for it, and it is no part of the sign-in. */
const pathToReturnTo = ({ method, url }: Request): string =>
  method === "GET" && url.startsWith("/") && !url.startsWith("/session") ? url : "/";

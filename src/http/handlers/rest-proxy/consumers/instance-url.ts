/** The URL of a consumer instance as the client reaches it. */
import type { Request } from "express";

/** `baseUri` is the setting; without it the URL follows from the request, and from the headers of a trusted proxy. */
export const instanceUrl = (
  request: Request,
  {
    baseUri,
    group,
    instance,
  }: Readonly<Record<"group" | "instance", string>> & { readonly baseUri?: string | undefined },
): string =>
  `${(baseUri ?? originOf(request)).replace(/\/+$/, "")}/consumers/${encodeURIComponent(group)}` +
  `/instances/${encodeURIComponent(instance)}`;

const DEFAULT_PORTS: Readonly<Record<string, string>> = { http: "80", https: "443" };

const originOf = (request: Request): string => {
  const { protocol, headers } = request;
  // Express reads `X-Forwarded-Host` only from a trusted proxy.
  const host = request.host || "localhost";
  if (Number(request.app.get("trust proxy")) === 0) return `${protocol}://${headers.host ?? "localhost"}`;
  return `${protocol}://${host}${portOf(request, host)}${prefixOf(request)}`;
};

const first = (header: string | string[] | undefined): string =>
  String(header ?? "")
    .split(",")[0]
    ?.trim() ?? "";

/** A port that the proxy names, if the host has none. */
const portOf = ({ headers, protocol }: Request, host: string): string => {
  const port = first(headers["x-forwarded-port"]);
  const hasPort = /:\d+$/.test(host);
  return hasPort || !/^\d{1,5}$/.test(port) || port === DEFAULT_PORTS[protocol] ? "" : `:${port}`;
};

/** The part of the path that the proxy has removed. */
const prefixOf = ({ headers }: Request): string => {
  const prefix = first(headers["x-forwarded-prefix"]);
  return /^(\/[\w.~-]+)+\/?$/.test(prefix) ? prefix : "";
};

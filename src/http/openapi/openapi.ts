/** The OpenAPI 3.1 document of a listener, made from its route table. */
import { createSchemaBook, type Operation, operationOf, securitySchemes } from "./operation.ts";
import type { Route } from "../routes.ts";

export interface OpenApiInfo {
  readonly title: string;
  readonly version: string;
  /** Markdown. */
  readonly description: string;
}

export interface OpenApiDocument {
  readonly openapi: "3.1.0";
  readonly info: OpenApiInfo;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly [section: string]: unknown;
}

/** Express's `:name` as OpenAPI's `{name}`. */
const templateOf = (path: string): string => path.replace(/(?<!\\):(\w+)/g, "{$1}").replaceAll("\\", "");

/** The document contains each route that has documentation. */
export const openApiDocument = (info: OpenApiInfo, routes: readonly Route[]): OpenApiDocument => {
  const book = createSchemaBook();
  const paths: Record<string, Record<string, Operation>> = {};
  const used = new Set<string>();
  for (const route of routes) {
    if (route.documentation === undefined) continue;
    const operation = operationOf(route, route.documentation, book);
    (paths[templateOf(route.path)] ??= {})[route.method.toLowerCase()] = operation;
    for (const scheme of operation["security"] as readonly object[]) used.add(Object.keys(scheme)[0] ?? "");
  }
  const schemes = Object.entries(securitySchemes).filter(([name]) => used.has(name));
  return {
    openapi: "3.1.0",
    info: { ...info, license: { name: "MIT", identifier: "MIT" } } as OpenApiInfo,
    servers: [{ url: "/", description: "The gateway that serves this document." }],
    paths,
    components: { schemas: book.components, securitySchemes: Object.fromEntries(schemes) },
  };
};

/** The schema registry of the settings. */
import type { Settings } from "../config/schema/schema.ts";
import { compileSchema } from "../formats/formats.ts";
import type { SchemaRegistry } from "../registry/contract.ts";
import { createSchemaRegistry } from "../registry/registry.ts";
import type { AppContext } from "./context.ts";
import { tlsOf } from "./wire-broker.ts";

/** undefined: the settings name no registry. The registry need not be available at the start. */
export const openRegistry = (
  settings: Settings,
  { clock, log: { logger }, metrics, lifecycle }: Pick<AppContext, "clock" | "log" | "metrics" | "lifecycle">,
): SchemaRegistry | undefined => {
  const { registry, server } = settings;
  if (registry.urls.length === 0) return undefined;
  const { urls, auth: credential, maxSchemas, maxSchemaBytes, normalize, unknownFields } = registry;
  // The URLs may have credentials.
  const addresses = urls.map((url) => new URL(url).host);
  const schemas = createSchemaRegistry({
    ...{ urls, credential, maxSchemas, maxSchemaBytes, normalize, clock },
    tls: tlsOf(registry) ?? {},
    timeoutMs: registry.timeout,
    cacheTtlMs: registry.cacheTtl,
    negativeTtlMs: registry.negativeTtl,
    compile: compileSchema,
    limits: {
      maxDepth: server.jsonMaxDepth,
      maxValues: server.jsonMaxValues,
      maxMembers: server.jsonMaxMembers,
      maxBytes: server.bodyLimit,
      unknownFields,
    },
    asked: metrics.registryAsked,
    onStale: metrics.registryAnsweredStale,
    schemasFrom: metrics.registrySchemasFrom,
    onUnavailable: (reason) => {
      logger.warn({ addresses, reason }, "the schema registry is unavailable; known schemas stay in use");
    },
    onBack: () => {
      logger.info({ addresses }, "the schema registry is back");
    },
  });
  lifecycle.onClose("schema registry", () => schemas.close());
  return schemas;
};

/** The schema registry of the settings. */
import type { Settings } from "../config/schema/schema.ts";
import { GatewayError } from "../errors.ts";
import { compileSchema } from "../formats/formats.ts";
import { createSchemaRegistry } from "../registry/registry.ts";
import { createDecoder } from "../registry/decoder.ts";
import type { DecodingInUse, LastingContext, OpenRegistry } from "./context.ts";
import { tlsOf } from "./wire-broker.ts";

/**
 * undefined: the settings name no registry. Returns `previous` if these settings name the same registry in the same way. The
 * registry need not be available.
 */
export const openRegistry = (
  settings: Settings,
  { clock, log: { logger }, metrics }: Pick<LastingContext, "clock" | "log" | "metrics">,
  previous?: OpenRegistry,
): OpenRegistry | undefined => {
  const { registry, server } = settings;
  if (registry.urls.length === 0) return undefined;
  const tls = tlsOf(registry) ?? {};
  const { urls, auth: credential, maxSchemas, maxSchemaBytes, normalize, unknownFields } = registry;
  const times = {
    timeoutMs: registry.timeout,
    cacheTtlMs: registry.cacheTtl,
    negativeTtlMs: registry.negativeTtl,
  };
  const own = { urls, credential, maxSchemas, maxSchemaBytes, normalize, tls, ...times };
  const key = JSON.stringify({ ...own, unknownFields });
  if (previous?.key === key) return previous;
  // The URLs may have credentials.
  const addresses = urls.map((url) => new URL(url).host);
  let schemas = (): number => 0;
  const client = createSchemaRegistry({
    ...own,
    clock,
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
    schemasFrom: (read) => {
      schemas = read;
    },
    onUnavailable: (reason) => {
      logger.warn({ addresses, reason }, "the schema registry is unavailable; known schemas stay in use");
    },
    onBack: () => {
      logger.info({ addresses }, "the schema registry is back");
    },
  });
  return { client, schemas, key };
};

export const followRegistry = ({
  inUse,
  metrics,
  lifecycle,
}: Pick<LastingContext, "inUse" | "metrics" | "lifecycle">): DecodingInUse => {
  metrics.registrySchemasFrom(() => inUse.now.registry?.schemas() ?? 0);
  lifecycle.onClose("schema registry", async () => inUse.now.registry?.client.close());
  const decoder = createDecoder({
    schemaOf: (id, subject) => {
      const { registry } = inUse.now;
      if (registry === undefined) throw new GatewayError("REGISTRY_UNAVAILABLE");
      return registry.client.schemaOf(id, subject);
    },
  });
  return { ofRegistry: decoder, decoder: () => inUse.now.registry && decoder };
};

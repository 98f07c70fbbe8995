/** The station `nope`, whose schema is the latest version of the subject `shop.nope-value`. */
import { loadRegistrySchema } from "../../../../src/ingest/schema/registry.ts";
import type { Station } from "../../../../src/ingest/stations.ts";
import type { SchemaRegistry } from "../../../../src/registry/contract.ts";

export const registryStation = async (registry: Pick<SchemaRegistry, "find">): Promise<Station> => {
  const place = { name: "nope", topic: "shop.nope", key: undefined };
  const validator = await loadRegistrySchema(
    { type: "registry", version: "latest", autoRegister: false },
    { station: place.name, topic: place.topic, hasPointer: false, limits: { maxDepth: 64 }, registry },
  );
  return { ...place, validator };
};

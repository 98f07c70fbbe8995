/** Tracing, if a collector is configured. */
import type { Settings } from "../config/schema/schema.ts";
import { VERSION } from "../config/version.ts";
import type { Tracing } from "../observability/tracing/tracing.ts";
import type { Lifecycle } from "./lifecycle.ts";

/** undefined: no collector is configured, and OpenTelemetry is not loaded. */
export const openTracing = async (
  { tracing: { endpoint } }: Settings,
  lifecycle: Lifecycle,
): Promise<Tracing | undefined> => {
  if (endpoint === undefined) return undefined;
  const { createOtlpTracing } = await import("../observability/tracing/otlp.ts");
  const tracing = createOtlpTracing({ endpoint, version: VERSION });
  lifecycle.onClose("tracing", () => tracing.close());
  return tracing;
};

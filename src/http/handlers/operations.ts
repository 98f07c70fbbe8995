/** What machines and operators ask the gateway about itself. */
import { listStations, type StationListDependencies } from "../../ingest/station-list.ts";
import type { Health } from "../../observability/health.ts";
import type { Metrics } from "../../observability/metrics.ts";
import type { Call } from "../call.ts";
import * as documentation from "../documentation/operations.ts";
import { sendJson, sendText } from "../respond.ts";
import type { OpenRoute } from "../routes.ts";

const OK = { status: "ok" };

/** Probes, on both listeners; they are never asked for a credential. */
export const healthRoutes = (health: Pick<Health, "ready">): readonly OpenRoute[] => {
  const row = { method: "GET", auth: "none", family: "problem", quiet: true } as const;
  const ok = ({ response }: Call): void => {
    sendJson(response, 200, OK);
  };
  return [
    { ...row, path: "/healthz", documentation: documentation.healthz, handler: ok },
    {
      ...row,
      path: "/readyz",
      documentation: documentation.readyz,
      handler: (call) =>
        health.ready().then(() => {
          ok(call);
        }),
    },
  ];
};

/** The Memphis gateway's own probe. */
export const statusRoute: OpenRoute = {
  method: "GET",
  path: "/monitoring/status",
  documentation: documentation.monitoringStatus,
  auth: "none",
  family: "auth",
  quiet: true,
  handler: ({ response }) => {
    sendJson(response, 200, OK);
  },
};

export const metricsRoute = (metrics: Pick<Metrics, "contentType" | "text">): OpenRoute => ({
  method: "GET",
  path: "/metrics",
  documentation: documentation.metrics,
  auth: "none",
  family: "problem",
  quiet: true,
  handler: async ({ response }) => {
    sendText(response, 200, metrics.contentType, await metrics.text());
  },
});

/** `GET /stations` for operators. Fails with BROKER_UNAVAILABLE. */
export const stationListRoute = (dependencies: StationListDependencies): OpenRoute => ({
  method: "GET",
  path: "/stations",
  documentation: documentation.listStations,
  auth: "admin",
  family: "problem",
  handler: async ({ response }) => {
    sendJson(response, 200, { stations: await listStations(dependencies) });
  },
});

/** What machines and operators ask the gateway about itself. */
import type { Broker } from "../../../broker/broker.ts";
import { listStations, type StationListDependencies } from "../../../ingest/stations.ts";
import type { Health } from "../../../observability/health.ts";
import type { Metrics } from "../../../observability/metrics.ts";
import type { Call } from "../../call.ts";
import * as documentation from "./documentation.ts";
import { sendJson, sendText } from "../../respond.ts";
import type { OpenRoute } from "../../routes.ts";

const OK = { status: "ok" };

/** What this gateway is. */
export interface GatewayFacts {
  readonly version: string;
  readonly commit: string;
  readonly roles: readonly string[];
  readonly broker: {
    readonly kind: Broker["kind"];
    /** Where it is looked for; none for a local log. */
    readonly addresses: readonly string[];
  };
  /** Where clients connect: the address of the public listener. Port 0: another process has bound it to a free port. */
  readonly publicListener: () => { readonly host: string; readonly port: number };
}

/** `GET /gateway` for operators: it answers while the broker is away, too. */
export const gatewayRoute = (
  { broker: { kind, addresses }, publicListener, ...facts }: GatewayFacts,
  broker: Pick<Broker, "clusterId" | "topics">,
): OpenRoute => ({
  method: "GET",
  path: "/gateway",
  documentation: documentation.showFacts,
  auth: "admin",
  family: "problem",
  quiet: true,
  handler: async ({ response }) => {
    const [clusterId = null, topics] = await Promise.all([soon(broker.clusterId()), soon(broker.topics())]);
    const partitions = topics?.reduce((sum, topic) => sum + topic.partitions, 0) ?? null;
    const found = { clusterId, topics: topics?.length ?? null, partitions };
    sendJson(response, 200, {
      ...facts,
      publicListener: publicListener(),
      broker: { kind, addresses, ...found },
    });
  },
});

/** As long as a probe may take, in milliseconds: the facts are read in outages above all. */
const PATIENCE = 2000;

/** undefined: not in time, or not at all. */
const soon = async <T>(asked: Promise<T>): Promise<T | undefined> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, PATIENCE, undefined);
  });
  return Promise.race([asked.catch(() => undefined), late]).finally(() => {
    clearTimeout(timer);
  });
};

/** `GET /` in Kafka Connect's words. */
export const frontRoute = (
  { version, commit }: Pick<GatewayFacts, "version" | "commit">,
  broker: Pick<Broker, "clusterId">,
): OpenRoute => ({
  method: "GET",
  path: "/",
  documentation: documentation.showGateway,
  auth: "admin",
  family: "connect",
  handler: async ({ response }) => {
    sendJson(response, 200, { version, commit, kafka_cluster_id: await broker.clusterId() });
  },
});

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

/** Probes, metrics, facts about the gateway, and the list of stations. */
import type { Broker } from "../../../broker/broker.ts";
import { listStations, type StationListDependencies } from "../../../ingest/stations.ts";
import type { Health } from "../../../observability/health.ts";
import type { Metrics } from "../../../observability/metrics.ts";
import type { Call } from "../../call.ts";
import * as documentation from "./documentation.ts";
import { sendJson, sendText } from "../../respond.ts";
import type { OpenRoute } from "../../routes.ts";
import type { Reloading } from "./reload.ts";

const OK = { status: "ok" };

/** The facts that `GET /gateway` shows. */
export interface GatewayFacts {
  readonly version: string;
  readonly commit: string;
  readonly roles: readonly string[];
  readonly broker: {
    readonly kind: Broker["kind"];
    /** Addresses of the brokers in the settings; empty for a local log. */
    readonly addresses: readonly string[];
  };
  /** The role viewer reads events. */
  readonly viewersReadEvents: boolean;
  /** The address for clients. Port 0: another process has bound the listener to a free port. */
  readonly publicListener: () => {
    readonly scheme: "http" | "https";
    readonly host: string;
    readonly port: number;
  };
}

/** `GET /gateway` for operators. It also answers while the broker is unavailable. */
export const gatewayRoute = (
  { broker: { kind, addresses }, publicListener, ...facts }: GatewayFacts,
  broker: Pick<Broker, "clusterId" | "topics">,
  { status }: Pick<Reloading, "status">,
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
      settings: status(),
    });
  },
});

/** Maximum wait for the broker, in milliseconds: operators need the facts most during an outage. */
const MAX_WAIT_MS = 2000;

/** Resolves with undefined if the promise rejects or takes too long. */
const soon = async <T>(answer: Promise<T>): Promise<T | undefined> => {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, MAX_WAIT_MS, undefined);
  });
  return Promise.race([answer.catch(() => undefined), late]).finally(() => {
    clearTimeout(timer);
  });
};

/** `GET /` for operators, as Kafka Connect answers it. */
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
        health.ready().then(({ isSpooling, isSpoolEmpty = false }) => {
          const spool = { ...(isSpooling && { spooling: true }), ...(isSpoolEmpty && { spoolEmpty: true }) };
          sendJson(call.response, 200, { ...OK, ...spool });
        }),
    },
  ];
};

/** The probe of the Memphis API. */
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

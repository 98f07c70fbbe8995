/** The routes for probes, metrics, and the list of stations. */
import { z } from "zod";
import { SCHEMA_KINDS } from "../../../ingest/schema/validator.ts";
import { json, type Documentation } from "../../documentation.ts";
import { settingsInUse } from "./reload-documentation.ts";

const TAG = "Operations";
const ok = json(z.object({ status: z.literal("ok") }));
const ready = json(
  z.object({
    status: z.literal("ok"),
    spooling: z.literal(true).optional().meta({
      description: "Events go to the spool: Kafka is unavailable, or the spool is not drained yet.",
    }),
    spoolEmpty: z.literal(true).optional().meta({
      description: "With spooling: the spool has no events.",
    }),
  }),
);

export const healthz: Documentation = {
  id: "healthz",
  tag: TAG,
  summary: "Liveness probe",
  answers: { 200: { description: "The process is alive.", content: ok } },
  errors: [],
};

export const readyz: Documentation = {
  id: "readyz",
  tag: TAG,
  summary: "Readiness probe: 200 if the gateway can store an event now",
  answers: { 200: { description: "The gateway can store events.", content: ready } },
  errors: ["BROKER_UNAVAILABLE", "SPOOL_FULL", "SHUTTING_DOWN"],
};

export const monitoringStatus: Documentation = {
  id: "monitoringStatus",
  tag: TAG,
  summary: "Liveness probe of the Memphis API",
  answers: { 200: { description: "The process is alive.", content: ok } },
  errors: [],
};

export const metrics: Documentation = {
  id: "metrics",
  tag: TAG,
  summary: "Metrics for Prometheus",
  answers: {
    200: { description: "Metrics in the text format of Prometheus.", content: { "text/plain": z.string() } },
  },
  errors: [],
};

export const showGateway: Documentation = {
  id: "showGateway",
  tag: TAG,
  summary: "Show the version and the Kafka cluster, as Kafka Connect does",
  answers: {
    200: {
      description: "Version of the gateway and id of the cluster.",
      content: json(z.object({ version: z.string(), commit: z.string(), kafka_cluster_id: z.string() })),
    },
  },
  errors: ["BROKER_UNAVAILABLE"],
};

const ofBroker = z.int().nullable().meta({ description: "null if the broker does not answer." });

export const showFacts: Documentation = {
  id: "showFacts",
  tag: TAG,
  summary: "Show the gateway and its broker",
  answers: {
    200: {
      description: "Version, roles and broker. `/readyz` shows whether the broker takes events.",
      content: json(
        z.object({
          version: z.string(),
          commit: z.string(),
          roles: z.array(z.enum(["ingest", "delivery"])),
          broker: z.object({
            kind: z.enum(["kafka", "embedded", "memory"]),
            addresses: z
              .array(z.string())
              .meta({ description: "Addresses of the brokers in the settings; empty without Kafka." }),
            clusterId: z.string().nullable(),
            topics: ofBroker,
            partitions: ofBroker,
          }),
          viewersReadEvents: z
            .boolean()
            .meta({ description: "The role viewer may read events (`admin.viewersReadEvents`)." }),
          publicListener: z
            .object({ host: z.string(), port: z.int(), scheme: z.enum(["http", "https"]) })
            .meta({
              description:
                "Address at which clients connect. Port 0 means that this process does not know the port.",
            }),
          settings: settingsInUse,
        }),
      ),
    },
  },
  errors: [],
};

export const listStations: Documentation = {
  id: "listStations",
  tag: TAG,
  summary: "List the stations",
  answers: {
    200: {
      description:
        "The declared stations. With `autoCreateStations`, also every topic whose name is a valid station name.",
      content: json(
        z.object({
          stations: z.array(
            z.object({
              name: z.string(),
              topic: z.string(),
              partitions: z.int().nullable().meta({ description: "null if the topic does not exist yet." }),
              replicationFactor: z.int().nullable(),
              schema: z.enum(SCHEMA_KINDS).nullable(),
              key: z
                .string()
                .nullable()
                .meta({ description: "JSON pointer to the record's key in the event." }),
              once: z
                .object({
                  id: z.string().meta({ description: "Where the id of an event is, as in the settings." }),
                  windowMs: z.int().meta({ description: "Milliseconds for which an id is remembered." }),
                  strict: z.boolean().meta({
                    description: "False: stored without the check if the home of the id can't be reached.",
                  }),
                })
                .nullable()
                .meta({ description: "null if the events of the station have no ids." }),
            }),
          ),
        }),
      ),
    },
  },
  errors: ["BROKER_UNAVAILABLE"],
};

export const openApi: Documentation = {
  id: "openApi",
  tag: TAG,
  summary: "Show this document",
  answers: {
    200: { description: "An OpenAPI 3.1 document.", content: json(z.looseObject({ openapi: z.string() })) },
  },
  errors: [],
};

export const docsPage: Documentation = {
  id: "docs",
  tag: TAG,
  summary: "Show this document as a page",
  answers: {
    200: { description: "An HTML page that loads no other files.", content: { "text/html": z.string() } },
  },
  errors: [],
};

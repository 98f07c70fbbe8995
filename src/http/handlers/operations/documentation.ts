/** Probes, metrics and what there is. */
import { z } from "zod";
import { SCHEMA_KINDS } from "../../../ingest/schema/validator.ts";
import { json, type Documentation } from "../../documentation.ts";

const TAG = "Operations";
const ok = json(z.object({ status: z.literal("ok") }));

export const healthz: Documentation = {
  id: "healthz",
  tag: TAG,
  summary: "Does the process live?",
  answers: { 200: { description: "It lives.", content: ok } },
  errors: [],
};

export const readyz: Documentation = {
  id: "readyz",
  tag: TAG,
  summary: "Could an event be stored now?",
  answers: { 200: { description: "It could.", content: ok } },
  errors: ["BROKER_UNAVAILABLE", "SHUTTING_DOWN"],
};

export const monitoringStatus: Documentation = {
  id: "monitoringStatus",
  tag: TAG,
  summary: "The Memphis gateway's own probe",
  answers: { 200: { description: "The process lives.", content: ok } },
  errors: [],
};

export const metrics: Documentation = {
  id: "metrics",
  tag: TAG,
  summary: "Metrics for Prometheus",
  answers: {
    200: { description: "The text format of Prometheus.", content: { "text/plain": z.string() } },
  },
  errors: [],
};

export const showGateway: Documentation = {
  id: "showGateway",
  tag: TAG,
  summary: "Which program this is",
  answers: {
    200: {
      description: "Version and cluster.",
      content: json(z.object({ version: z.string(), commit: z.string(), kafka_cluster_id: z.string() })),
    },
  },
  errors: ["BROKER_UNAVAILABLE"],
};

const ofBroker = z.int().nullable().meta({ description: "null: the broker can't be asked." });

export const showFacts: Documentation = {
  id: "showFacts",
  tag: TAG,
  summary: "What this gateway is, and what it stands before",
  answers: {
    200: {
      description: "Facts; whether the broker takes events is for `/readyz` to say.",
      content: json(
        z.object({
          version: z.string(),
          commit: z.string(),
          roles: z.array(z.enum(["ingest", "delivery"])),
          broker: z.object({
            kind: z.enum(["kafka", "embedded", "memory"]),
            addresses: z.array(z.string()).meta({ description: "Where it is looked for." }),
            clusterId: z.string().nullable(),
            topics: ofBroker,
            partitions: ofBroker,
          }),
        }),
      ),
    },
  },
  errors: [],
};

export const listStations: Documentation = {
  id: "listStations",
  tag: TAG,
  summary: "The stations there are",
  answers: {
    200: {
      description:
        "Declared stations, and where stations make themselves, every topic that is fit to be one.",
      content: json(
        z.object({
          stations: z.array(
            z.object({
              name: z.string(),
              topic: z.string(),
              partitions: z.int().nullable().meta({ description: "null: the topic doesn't exist yet." }),
              replicationFactor: z.int().nullable(),
              schema: z.enum(SCHEMA_KINDS).nullable(),
              key: z
                .string()
                .nullable()
                .meta({ description: "JSON pointer into the event to the record's key." }),
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
  summary: "This document",
  answers: { 200: { description: "OpenAPI 3.1.", content: json(z.looseObject({ openapi: z.string() })) } },
  errors: [],
};

export const docsPage: Documentation = {
  id: "docs",
  tag: TAG,
  summary: "This document as a page",
  answers: { 200: { description: "A page that fetches nothing.", content: { "text/html": z.string() } } },
  errors: [],
};

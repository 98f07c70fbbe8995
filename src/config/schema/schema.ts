/** The tree of all settings. Each key has a default and a help text; its path gives its environment variable. */
import type { z } from "zod";
import { flag, list, section } from "../keys.ts";
import { admin, audit } from "./admin-settings.ts";
import { auth } from "./auth-settings.ts";
import { broker } from "./broker-settings.ts";
import { connector, delivery } from "./delivery-settings.ts";
import { eventService } from "./event-service-settings.ts";
import { once } from "./once-settings.ts";
import { reading } from "./reading-settings.ts";
import { registry } from "./registry-settings.ts";
import { cors, limits, log, reload, restProxy, roles, server, tracing } from "./server-settings.ts";
import { spool } from "./spool-settings.ts";
import { station, webhook } from "./stations-settings.ts";

export const settingsSchema = section({
  server: server.prefault({}),
  admin: admin.prefault({}),
  roles: roles.prefault(["ingest", "delivery"]),
  log: log.prefault({}),
  tracing: tracing.prefault({}),
  reload: reload.prefault({}),
  broker: broker.prefault({}),
  auth: auth.prefault({}),
  audit: audit.prefault({}),
  cors: cors.prefault({}),
  limits: limits.prefault({}),
  autoCreateStations: flag(
    "Creates an undeclared station with its first event. Default without a settings file: true.",
  ).prefault(false),
  provisionTopics: flag("Creates missing topics of declared stations at the start.").prefault(true),
  stations: list("Declared stations.", station, "a list of stations").prefault([]),
  webhooks: list("Webhook sources.", webhook, "a list of webhook sources").prefault([]),
  once: once.prefault({}),
  spool: spool.prefault({}),
  registry: registry.prefault({}),
  restProxy: restProxy.prefault({}),
  reading: reading.prefault({}),
  delivery: delivery.prefault({}),
  eventService: eventService.prefault({}),
  connectors: list(
    "Declared connectors. They can't be changed by the REST API.",
    connector,
    "a list of {name, config}",
  ).prefault([]),
});

/** Durations are in milliseconds, sizes in bytes, times in milliseconds since the epoch; paths are absolute. */
export type Settings = z.output<typeof settingsSchema>;

/** The settings as one tree: every key with its default, its environment name (from its place) and its help. */
import type { z } from "zod";
import { flag, list, section } from "../keys.ts";
import { auth } from "./auth-settings.ts";
import { broker } from "./broker-settings.ts";
import { connector, delivery } from "./delivery-settings.ts";
import { eventService } from "./event-service-settings.ts";
import { limits, restProxy } from "./limits-settings.ts";
import { admin, cors, log, roles, server, tracing } from "./server-settings.ts";
import { station } from "./stations-settings.ts";
import { webhook } from "./webhooks-settings.ts";

export const settingsSchema = section({
  server: server.prefault({}),
  admin: admin.prefault({}),
  roles: roles.prefault(["ingest", "delivery"]),
  log: log.prefault({}),
  tracing: tracing.prefault({}),
  broker: broker.prefault({}),
  auth: auth.prefault({}),
  cors: cors.prefault({}),
  limits: limits.prefault({}),
  autoCreateStations: flag(
    "A station that is not declared comes into being with its first event; default without a settings file: true.",
  ).prefault(false),
  provisionTopics: flag("Topics of declared stations are created at start where they are missing.").prefault(
    true,
  ),
  stations: list("The declared stations.", station, "a list of stations").prefault([]),
  webhooks: list("The webhook sources.", webhook, "a list of webhook sources").prefault([]),
  restProxy: restProxy.prefault({}),
  delivery: delivery.prefault({}),
  eventService: eventService.prefault({}),
  connectors: list("Connectors that this file declares.", connector, "a list of {name, config}").prefault([]),
});

/** Durations in milliseconds, sizes in bytes, times in milliseconds since the epoch, paths absolute. */
export type Settings = z.output<typeof settingsSchema>;

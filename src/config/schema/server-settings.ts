/** The process and its two listeners. */
import { z } from "zod";
import {
  choice,
  duration,
  filledList,
  integer,
  matching,
  secret,
  section,
  size,
  special,
  text,
} from "../keys.ts";

const port = (help: string) => integer(help, 0, 65_535);

export const server = section({
  host: text("Address that the public listener binds to.").prefault("0.0.0.0"),
  port: port("Port of the public listener; 0 takes a free one.").prefault(4444),
  workers: special(z.union([z.int().min(1), z.literal("auto")]), {
    help: "Processes that share the public port; auto is one per core.",
    allowed: "a whole number, 1 or more, or auto",
  }).prefault(1),
  bodyLimit: size("Largest request body, counted after decompression.").prefault("4mb"),
  jsonMaxDepth: integer("How deep arrays and objects may nest in a JSON body.", 1, 10_000).prefault(128),
  jsonMaxValues: integer(
    "Values, objects and arrays included, of an event that is parsed: for a schema, a key or a CloudEvent.",
    1,
  ).prefault(500_000),
  jsonMaxMembers: integer("Members of all objects of an event that is parsed.", 1).prefault(100_000),
  trustProxy: integer(
    "Proxies in front whose X-Forwarded-* headers are believed, counted from here; 0 is none.",
    0,
  ).prefault(0),
  shutdownGrace: duration("Time from SIGTERM to exit, for requests in flight and buffers.").prefault("20s"),
  keepAliveTimeout: duration(
    "How long an idle connection is kept; longer than the load balancer's own idle time.",
  ).prefault("75s"),
  headersTimeout: duration("Time in which a request's headers must arrive.").prefault("20s"),
  requestTimeout: duration(
    "Time in which a request's body must arrive; streams have restProxy.idleTimeout.",
  ).prefault("60s"),
  maxHeaderSize: size("All headers of a request together.").prefault("16kb"),
  maxConnections: integer(
    "Open connections of one process; more get 503 with Retry-After. 0 is no limit.",
    0,
  ).prefault(30_000),
  backlog: integer(
    "Connections that wait to be accepted; the system has a limit of its own (`net.core.somaxconn`).",
    1,
  ).prefault(4096),
});

export const admin = section({
  host: text("Address that the operators' listener binds to.").prefault("127.0.0.1"),
  port: port("Port of the operators' listener; 0 takes a free one.").prefault(4445),
  token: secret(
    "Bearer token of the operators' routes. Without one a start without settings file makes its own, and any other refuses every operator.",
  ).optional(),
  failuresPerMinute: integer(
    "Wrong operators' tokens that one address may send in a minute; then every token from it gets 429.",
    1,
  ).prefault(10),
});

export const roles = filledList(
  "What this process does.",
  choice("One role.", ["ingest", "delivery"]),
  "a list of ingest, delivery or both",
);

export const log = section({
  level: choice("Least severity that is written.", [
    "trace",
    "debug",
    "info",
    "warn",
    "error",
    "fatal",
    "silent",
  ]).prefault("info"),
});

export const tracing = section({
  endpoint: matching(
    "OTLP/HTTP endpoint of an OpenTelemetry collector, also as OTEL_EXPORTER_OTLP_ENDPOINT; default: no traces.",
    /^https?:\/\/[^\s?#]+$/,
    "an http or https URL such as http://127.0.0.1:4318",
  ).optional(),
});

/** `scheme://host[:port]`, as browsers send it. */
export const origin = special(z.string().regex(/^(\*|[a-z][a-z0-9+.-]*:\/\/[^/\s?#@*]+)$/i), {
  help: "An origin, or * for any.",
  allowed: "an origin such as https://shop.example, without a path, or *",
});

export const cors = section({
  origins: filledList(
    "Origins whose pages may read answers; * is any.",
    origin,
    "a list of origins such as https://shop.example, or of *",
  ).prefault(["*"]),
});

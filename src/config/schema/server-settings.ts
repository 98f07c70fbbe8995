/** Settings of the process: its public listener, roles, log, traces, reload and CORS; limits for clients and for streams. */
import { z } from "zod";
import {
  choice,
  duration,
  durationBetween,
  filledList,
  flag,
  integer,
  matching,
  positive,
  section,
  size,
  special,
  text,
} from "../keys.ts";
import { tls } from "./tls-settings.ts";

export const port = (help: string) => integer(help, 0, 65_535);

export const server = section({
  host: text("Address of the public listener.").prefault("0.0.0.0"),
  port: port("Port of the public listener. 0 uses a free port.").prefault(4444),
  workers: special(z.union([z.int().min(1), z.literal("auto")]), {
    help: "Number of worker processes that share the public port. auto starts one per CPU core.",
    allowed: "a whole number (1 or greater) or auto",
  }).prefault(1),
  bodyLimit: size("Maximum size of a request body after decompression.").prefault("4mb"),
  jsonMaxDepth: integer("Maximum nesting depth of arrays and objects in a JSON body.", 1, 10_000).prefault(
    128,
  ),
  jsonMaxValues: integer(
    "Maximum number of values (including objects and arrays) of an event that is parsed for a schema, a key or a CloudEvent.",
    1,
  ).prefault(500_000),
  jsonMaxMembers: integer(
    "Maximum number of members of all objects of an event that is parsed for a schema, a key or a CloudEvent.",
    1,
  ).prefault(100_000),
  trustProxy: integer(
    "Number of trusted proxies in front of the gateway, for X-Forwarded-* headers. 0 ignores these headers.",
    0,
  ).prefault(0),
  shutdownGrace: duration(
    "Maximum time from SIGTERM to exit. Requests in flight finish and buffers are flushed in this time.",
  ).prefault("20s"),
  keepAliveTimeout: duration(
    "An idle connection is closed after this time. Set it longer than the idle timeout of your load balancer.",
  ).prefault("75s"),
  headersTimeout: duration("Timeout for receiving the headers of a request.").prefault("20s"),
  requestTimeout: duration(
    "Timeout for receiving the body of a request. Streams use restProxy.idleTimeout instead.",
  ).prefault("60s"),
  maxHeaderSize: size("Maximum size of all headers of a request.").prefault("16kb"),
  maxConnections: integer(
    "Maximum number of open connections per process. Further connections get 503 with Retry-After. 0 means no limit.",
    0,
  ).prefault(30_000),
  backlog: integer(
    "Maximum number of connections in the accept queue. The operating system can lower it (net.core.somaxconn).",
    1,
  ).prefault(4096),
  tls: tls.optional(),
});

export const roles = filledList(
  "Roles of this process: ingest receives events, delivery sends them.",
  choice("A role.", ["ingest", "delivery"]),
  "a list of ingest, delivery or both",
);

export const log = section({
  level: choice("Minimum severity of log lines.", [
    "trace",
    "debug",
    "info",
    "warn",
    "error",
    "fatal",
    "silent",
  ]).prefault("info"),
  requests: choice(
    "Requests that get a log line: all, or only requests with an error and slow requests (errors). The level debug means all.",
    ["all", "errors"],
  ).prefault("all"),
  slowRequest: duration("A request that takes this time or longer is slow (log.requests: errors).").prefault(
    "1s",
  ),
});

export const tracing = section({
  endpoint: matching(
    "OTLP/HTTP endpoint of an OpenTelemetry collector. OTEL_EXPORTER_OTLP_ENDPOINT sets it too. Default: no traces.",
    /^https?:\/\/[^\s?#]+$/,
    "an http or https URL such as http://127.0.0.1:4318",
  ).optional(),
});

export const reload = section({
  watch: flag(
    "Reloads the settings when the settings file, or a file that it names, changes. Without a settings file it has no effect.",
  ).prefault(true),
  debounce: duration("Time without a further change of the files before the gateway reloads.").prefault(
    "200ms",
  ),
  poll: duration(
    "Interval at which the gateway also compares the files, for file systems without events.",
  ).prefault("5s"),
});

/** `scheme://host[:port]`, as in a browser's Origin header. */
export const origin = special(z.string().regex(/^(\*|[a-z][a-z0-9+.-]*:\/\/[^/\s?#@*]+)$/i), {
  help: "A web origin, or * for every origin.",
  allowed: "an origin such as https://shop.example, without a path, or *",
});

export const cors = section({
  origins: filledList(
    "Web origins that CORS allows. * allows every origin.",
    origin,
    "a list of origins such as https://shop.example, or of *",
  ).prefault(["*"]),
});

/** Rates of an account, a key or an address. Each process counts alone; a rate that is not set has no limit. */
export const rates = section({
  requestsPerSecond: positive("Maximum requests per second.").optional(),
  eventsPerSecond: positive("Maximum events per second.").optional(),
  bytesPerSecond: size("Maximum bytes per second.").optional(),
  burst: duration(
    "Size of a burst, as a time at the full rate: 2s allows two seconds' worth at once.",
  ).prefault("1s"),
});

export const limits = section({
  perAddress: rates.prefault({}),
  recordSize: size("Maximum size of an event. Default: server.bodyLimit.").optional(),
  recordHeaders: integer("Maximum number of headers of a record.", 0).prefault(100),
  recordHeaderSize: size("Maximum size of all headers of a record.").prefault("32kb"),
  keySize: size("Maximum size of a record's key.").prefault("32kb"),
  recordsPerCall: integer("Maximum number of entries of a records:batch call.", 1).prefault(1000),
  eventsPerCall: integer(
    "Maximum number of events of a batch or beacon. A larger call is refused with 413.",
    1,
  ).prefault(100_000),
  maxDebt: duration(
    "Longest time that one call may make the next call of its account, key or address wait. A call of several events that would cause a longer wait is refused with 413.",
  ).prefault("60s"),
  memory: size(
    "Maximum memory of one process for client data: request bodies, pipelined requests, readers' buffers and requests between gateways. A request that needs more gets 503 with Retry-After.",
  ).prefault("128mb"),
  tokenCache: size(
    "Maximum memory of one process for verified access tokens that it remembers, in addition to limits.memory. The token that was not used for the longest time is forgotten first, and is verified again when it is used.",
  ).prefault("32mb"),
});

export const restProxy = section({
  idleTimeout: duration("A stream is closed after this time without input.").prefault("30s"),
  maxStreamAge: duration("Maximum age of a stream. An older stream is closed.").prefault("24h"),
  maxUnanswered: integer(
    "Maximum number of unanswered records of a stream. Reading pauses above it.",
    1,
  ).prefault(1000),
  maxUnansweredBytes: size(
    "Maximum size of the unanswered records of a stream. Reading pauses above it.",
  ).prefault("8mb"),
  baseUri: matching(
    "Base of base_uri in the answer that creates a consumer instance. Default: the URL that the client used.",
    /^https?:\/\/[^\s?#]+$/,
    "an http or https URL such as https://events.example.com",
  ).optional(),
  consumerTimeout: duration("A consumer instance ends after this time without a call.").prefault("5m"),
  consumerRequestTimeout: durationBetween(
    "Default time that a read of a consumer instance waits for records, if the instance does not set consumer.request.timeout.ms.",
    1,
    300_000,
  ).prefault("1s"),
  consumerMaxBytes: size(
    "Maximum size of the keys and values in one answer of a consumer instance. One larger record is still answered.",
  ).prefault("16mb"),
  alwaysStatus200: flag(
    "Answers a failed single record with status 200 and the error in the body, as Confluent REST Proxy does.",
  ).prefault(false),
});

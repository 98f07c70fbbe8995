/** Settings of reading over HTTP: the slots of readers' groups, the peer port between gateways, bounds, and event streams. */
import { duration, durationBetween, integer, matching, secret, section, size, text } from "../keys.ts";
import { port } from "./server-settings.ts";

const peer = section({
  host: text(
    "Address of the peer port, where other gateways reach this process. Default: the local address of the connection to Kafka.",
  ).optional(),
  port: port(
    "Port for the requests between gateways. Worker n listens on port + n - 1. 0 uses a free port for each worker.",
  ).prefault(0),
  secret: secret(
    "Secret for the signatures of the requests between gateways. All gateways need the same secret. Default: a key that is derived from the secrets of access tokens, or else from the API keys.",
  ).optional(),
});

const streams = section({
  heartbeat: duration("Interval of the comments that an event stream sends.").prefault("15s"),
  maxAge: duration(
    "Maximum age of an event stream. An older stream ends, and its client resumes it.",
  ).prefault("1h"),
  perPrincipal: integer(
    "Maximum number of event streams of an account or key. A further one gets 429.",
    1,
  ).prefault(2500),
  maxStreams: integer("Maximum number of event streams. A further one gets 429.", 1).prefault(5000),
  ring: size("Maximum size of the newest events that are kept for the streams of a topic.").prefault("8mb"),
  catchUps: integer("Maximum number of streams that read older events at the same time.", 1).prefault(16),
});

/** All bounds hold for each process. */
export const reading = section({
  topic: matching(
    "Topic that divides the readers' groups among the gateways. All gateways on one Kafka need the same topic.",
    /^_stationgate-[a-zA-Z0-9._-]{1,200}$/,
    "_stationgate- followed by letters, digits, dots, underscores and hyphens",
  ).prefault("_stationgate-readers"),
  sessionTimeout: durationBetween(
    "A gateway serves a readers' group only if it sent a heartbeat within this time that Kafka answered. After a gateway is killed, its groups wait for about this time.",
    6000,
    300_000,
  ).prefault("10s"),
  answerTimeout: durationBetween(
    "The events of an answer are handed out again after this time without a report from the gateway that sends the answer.",
    3000,
    300_000,
  ).prefault("10s"),
  answerMax: duration(
    "Maximum time to send an answer to its client. A slower answer is reset, and its events are handed out again.",
  ).prefault("60s"),
  groupIdle: duration(
    "REST Proxy consumers can use a group after consume/batch has not read it for this time.",
  ).prefault("60s"),
  maxGroups: integer(
    "Maximum number of groups. Above it the longest idle group of the principal with the most groups ends; if no group is idle, calls get 503.",
    1,
  ).prefault(1000),
  maxInstances: integer("Maximum number of consumer instances. A further one gets 503.", 1).prefault(10_000),
  instancesPerPrincipal: integer(
    "Maximum number of consumer instances of an account or key. A further one gets 429.",
    1,
  ).prefault(1000),
  groupBuffer: size(
    "Size of a group's buffer of events. The buffer grows to the size that one call asks for.",
  ).prefault("8mb"),
  maxBuffered: size(
    "Maximum size of all buffers, of the answers that are being sent, and of the newest events for streams. Above it calls get fewer events, then 503.",
  ).prefault("96mb"),
  peer: peer.prefault({}),
  streams: streams.prefault({}),
});

/** Limits for clients: rates, record sizes, memory and streams. */
import { duration, flag, integer, positive, section, size } from "../keys.ts";

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
    "Maximum debt of an account, key or address after one large call, as the time that its rate needs to pay it back.",
  ).prefault("60s"),
  memory: size(
    "Maximum memory of one process for client data: request bodies, pipelined requests, readers' buffers and remembered outcomes. A request that needs more gets 503 with Retry-After.",
  ).prefault("128mb"),
  remembered: size(
    "Maximum memory for the outcomes of calls with an Idempotency-Key and for the ids of webhooks.",
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
  alwaysStatus200: flag(
    "Answers a failed single record with status 200 and the error in the body, as Confluent REST Proxy does.",
  ).prefault(false),
});

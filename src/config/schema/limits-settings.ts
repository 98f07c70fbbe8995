/** Bounds on what clients send: rates, and the sizes of single records. */
import { duration, flag, integer, positive, section, size } from "../keys.ts";

/** Rates of an account, a key or an address. They hold per process; absent: no limit. */
export const rates = section({
  requestsPerSecond: positive("Requests a second.").optional(),
  eventsPerSecond: positive("Events a second.").optional(),
  bytesPerSecond: size("Bytes a second.").optional(),
  burst: duration("How much of the rate may be used at once, as the time that it would take.").prefault("1s"),
});

export const limits = section({
  perAddress: rates.prefault({}),
  recordSize: size("Largest event of a call; default: server.bodyLimit.").optional(),
  recordHeaders: integer("Headers of one record.", 0).prefault(100),
  recordHeaderSize: size("All headers of one record together.").prefault("32kb"),
  keySize: size("Key of one record.").prefault("32kb"),
  recordsPerCall: integer("Entries of one records:batch call.", 1).prefault(1000),
  eventsPerCall: integer("Events of one batch or beacon; a call with more is refused with 413.", 1).prefault(
    100_000,
  ),
  maxDebt: duration(
    "How far one call may put a principal or an address behind its rate, as the time that the rate needs to catch up.",
  ).prefault("60s"),
  memory: size(
    "Memory for what clients make one process hold: bodies being read, pipelined requests, readers' buffers and remembered answers together. A request that needs more gets 503 with Retry-After.",
  ).prefault("128mb"),
  remembered: size("Remembered outcomes of calls with an Idempotency-Key, and ids of webhooks.").prefault(
    "32mb",
  ),
});

export const restProxy = section({
  idleTimeout: duration("A stream without input is closed after it.").prefault("30s"),
  maxStreamAge: duration("A stream is closed at this age.").prefault("24h"),
  maxUnanswered: integer(
    "Records of a stream without a report; beyond it the stream is not read.",
    1,
  ).prefault(1000),
  maxUnansweredBytes: size("The same in bytes.").prefault("8mb"),
  alwaysStatus200: flag("Single records answer 200 with the error inside, as the original does.").prefault(
    false,
  ),
});

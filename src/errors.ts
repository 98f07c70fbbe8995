/**
 * The table of all errors that a caller can get. Each row has the HTTP status, the default text, the outcome for the
 * event and the error code of the Confluent REST Proxy. `src/http/openapi/error-meanings.ts` explains each code, and
 * `docs/errors.md` also says what to do; tests compare the three lists.
 */

/**
 * `refused`: the event is not stored, and a plain retry fails again. `unavailable`: the event is not stored, and the client can
 * send it again. `unknown`: the event may be stored.
 */
export type FailureOutcome = "refused" | "unavailable" | "unknown";

interface ErrorRow {
  /** HTTP status if the call fails as a whole. */
  readonly status: number;
  /** Default text. `GatewayErrorOptions.message` replaces it. */
  readonly message: string;
  readonly outcome: FailureOutcome;
  /** `error_code` in answers of the REST Proxy API (`/v3`, `/topics`, `/consumers`). */
  readonly restProxy: number;
}

const row = (status: number, message: string, outcome: FailureOutcome, restProxy: number): ErrorRow => ({
  status,
  message,
  outcome,
  restProxy,
});

export const ERRORS = {
  UNAUTHORIZED: row(401, "Unauthorized", "refused", 40101),
  STATION_FORBIDDEN: row(403, "Not allowed to access this station", "refused", 40301),
  GROUP_FORBIDDEN: row(403, "Not allowed to use this consumer group", "refused", 40301),
  GROUP_IN_USE: row(
    409,
    "The other API (consume/batch or consumer instances) reads this consumer group",
    "refused",
    40903,
  ),
  ORIGIN_FORBIDDEN: row(403, "This origin is not allowed", "refused", 40301),
  HANDSHAKE_REFUSED: row(403, "The verification token is wrong", "refused", 40301),
  SIGN_IN_FAILED: row(401, "The identity provider's answer does not hold", "refused", 40101),
  ROLE_FORBIDDEN: row(403, "This needs a higher role", "refused", 40301),
  ADMINISTRATION_DISABLED: row(403, "Administrative endpoints are disabled", "refused", 40301),
  ROUTE_UNKNOWN: row(404, "Not Found", "refused", 404),
  STATION_UNKNOWN: row(404, "Station does not exist", "refused", 40403),
  TOPIC_UNKNOWN: row(404, "Topic not found", "refused", 40401),
  INSTANCE_UNKNOWN: row(404, "Consumer instance not found", "refused", 40403),
  INSTANCE_EXISTS: row(409, "The consumer instance exists already", "refused", 40902),
  INSTANCE_CONFLICT: row(
    409,
    "The state of the consumer instance does not allow this call",
    "refused",
    40903,
  ),
  FORMAT_UNACCEPTABLE: row(406, "Accept does not allow a format of this resource", "refused", 40601),
  INSTANCE_SETTING_INVALID: row(422, "A setting of the consumer instance is invalid", "refused", 42204),
  FETCH_MIN_BYTES_INVALID: row(422, "fetch.min.bytes must be -1 to 10000000", "refused", 40001),
  PARTITION_UNKNOWN: row(404, "Partition not found", "refused", 40402),
  OFFSET_OUT_OF_RANGE: row(400, "The partition has no record at this offset", "refused", 400),
  METHOD_NOT_ALLOWED: row(405, "Method Not Allowed", "refused", 405),
  CONTENT_TYPE_UNSUPPORTED: row(415, "unsupported content type", "refused", 415),
  ENCODING_UNSUPPORTED: row(415, "unsupported content encoding", "refused", 415),
  ENCODING_BROKEN: row(400, "The request body can't be decoded", "refused", 400),
  BODY_TOO_LARGE: row(413, "Request Entity Too Large", "refused", 413),
  BODY_INCOMPLETE: row(400, "Request body ended early", "refused", 400),
  BODY_EMPTY: row(400, "Request body is empty", "refused", 400),
  EVENTS_TOO_MANY: row(413, "The call has too many events", "refused", 413),
  RECORD_TOO_LARGE: row(413, "Request Entity Too Large", "refused", 413),
  RECORD_REFUSED: row(
    400,
    "The topic refuses this record because of its key or its timestamp",
    "refused",
    42206,
  ),
  RECORD_HEADERS_TOO_MANY: row(
    400,
    "The record has more headers than limits.recordHeaders allows",
    "refused",
    400,
  ),
  RECORD_HEADERS_TOO_LARGE: row(
    413,
    "The record's headers have more bytes than limits.recordHeaderSize allows",
    "refused",
    413,
  ),
  KEY_TOO_LARGE: row(413, "The record's key has more bytes than limits.keySize allows", "refused", 413),
  REQUEST_MALFORMED: row(400, "Malformed HTTP request", "refused", 400),
  TRANSFER_ENCODING_UNSUPPORTED: row(501, "Only the transfer coding chunked is supported", "refused", 501),
  EXPECTATION_UNKNOWN: row(417, "Only the expectation 100-continue is supported", "refused", 417),
  REQUEST_TIMEOUT: row(408, "Request Timeout", "unavailable", 40801),
  HEADERS_TOO_LARGE: row(431, "The request headers are larger than server.maxHeaderSize", "refused", 431),
  HEADER_RESERVED: row(400, "Clients must not send this header", "refused", 400),
  JSON_INVALID: row(400, "Invalid JSON", "refused", 400),
  JSON_TOO_DEEP: row(400, "JSON is nested too deep", "refused", 400),
  REQUEST_UNSUPPORTED: row(400, "unsupported request", "refused", 400),
  REQUEST_INVALID: row(400, "Invalid request body", "refused", 400),
  SHAPE_INVALID: row(422, "The body has an invalid shape", "refused", 422),
  BATCH_INVALID: row(422, "The batch is invalid", "refused", 42208),
  REGISTRY_MISSING: row(
    400,
    "The request needs a schema registry, and no registry is configured",
    "refused",
    40002,
  ),
  REGISTRY_UNAVAILABLE: row(503, "The schema registry is unavailable", "unavailable", 50303),
  REGISTRY_FORBIDDEN: row(
    403,
    "The schema registry does not let the gateway register schemas",
    "refused",
    40301,
  ),
  SCHEMA_UNKNOWN: row(422, "The schema is not in the schema registry", "refused", 42207),
  SCHEMA_VERSION_UNKNOWN: row(400, "The subject does not have this version", "refused", 400),
  SCHEMA_REGISTRATION_REFUSED: row(422, "The schema registry refuses the schema", "refused", 42207),
  KEY_SCHEMA_MISSING: row(422, "The call has no schema for its keys", "refused", 42201),
  VALUE_SCHEMA_MISSING: row(422, "The call has no schema for its values", "refused", 42202),
  SCHEMA_UNUSABLE: row(422, "The schema can't be used", "refused", 42205),
  DATA_REFUSED: row(400, "The data does not fit the schema that the record names", "refused", 400),
  FRAME_REFUSED: row(
    400,
    "The bytes are not a value of the station's subject in Confluent's wire format",
    "refused",
    42206,
  ),
  CLOUDEVENT_INVALID: row(400, "Invalid CloudEvent", "refused", 400),
  STATION_NAME_INVALID: row(400, "Invalid station name", "refused", 40002),
  SCHEMA_REFUSED: row(400, "Schema validation has failed", "refused", 42206),
  KEY_REFUSED: row(400, "The event's key is neither a string nor a number", "refused", 42206),
  EVENT_ID_REFUSED: row(
    400,
    "The event's id is missing, or is neither a string nor a number",
    "refused",
    42206,
  ),
  IDEMPOTENCY_KEY_REUSED: row(
    422,
    "An earlier request with another payload has this Idempotency-Key; send a new key",
    "refused",
    422,
  ),
  ID_UNRESOLVED: row(
    409,
    "It is not known yet whether an earlier request with this id stored the event",
    "unknown",
    40903,
  ),
  USERNAME_REQUIRED: row(400, "Username is required", "refused", 400),
  FIELDS_INVALID: {
    status: 400,
    message:
      "Some of your fields are not valid it is usually because you are missing some fields or you are sending wrong " +
      "data types, also please notice that account_id field should be sent as a number rather than a string",
    outcome: "refused",
    restProxy: 400,
  },
  SCOPE_INVALID: row(400, "The scope is invalid", "refused", 400),
  LOGIN_THROTTLED: row(429, "Too many failed attempts", "unavailable", 42901),
  RATE_LIMITED: row(429, "Too many requests", "unavailable", 42901),
  STREAMS_TOO_MANY: row(429, "Too many event streams are open", "unavailable", 42901),
  OVERLOADED: row(503, "Server error", "unavailable", 50302),
  BROKER_UNAVAILABLE: row(503, "Server error", "unavailable", 50302),
  SPOOL_FULL: row(503, "Server error", "unavailable", 50302),
  TOPIC_REFUSED: row(503, "Server error", "unavailable", 50302),
  GROUP_REFUSED: row(503, "Server error", "unavailable", 50302),
  HOME_UNAVAILABLE: row(503, "Server error", "unknown", 50302),
  SLOT_MOVED: row(503, "Server error", "unknown", 50302),
  BROKER_AMBIGUOUS: row(503, "Server error", "unknown", 50003),
  SHUTTING_DOWN: row(503, "Server error", "unavailable", 50302),
  KEYS_UNAVAILABLE: row(503, "The keys that verify this token are not available", "unavailable", 50302),
  INTERNAL: row(500, "Server error", "unknown", 50001),
  TARGET_REFUSED: row(
    502,
    "The target's address is not allowed; delivery.allowTargets can allow it",
    "refused",
    50001,
  ),
  DELIVERY_STOPPED: row(500, "The strategy stopped the delivery", "refused", 50001),
  CONNECTOR_UNKNOWN: row(404, "Connector not found", "refused", 404),
  CONNECTOR_EXISTS: row(409, "Connector already exists", "refused", 409),
  CONNECTOR_CHANGED: row(
    409,
    "The connector was changed by another request at the same time",
    "refused",
    409,
  ),
  CONNECTOR_READ_ONLY: row(409, "The connector is declared in the settings file", "refused", 409),
  CONNECTOR_CONFIG_INVALID: row(400, "Connector configuration is invalid", "refused", 400),
  CONNECTOR_NOT_STOPPED: row(400, "The connector is not stopped", "refused", 400),
  SETTINGS_INVALID: row(500, "The settings are invalid", "refused", 50001),
  SETTINGS_REFUSED: row(422, "The new settings have faults; the old ones stay in use", "refused", 422),
  RELOAD_FAILED: row(503, "A worker could not prepare the new settings", "unavailable", 50302),
  NOTHING_TO_RELOAD: row(409, "The gateway was started without a settings file", "refused", 409),
} satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

export interface GatewayErrorOptions {
  /** For a code whose status depends on the case. Default: the status of the row. */
  readonly status?: number;
  /** Text for the caller, cut after 1,000 characters. It must not contain a secret. Default: the text of the row. */
  readonly message?: string;
  /** Seconds until a retry makes sense, sent as Retry-After. Default: 1 for status 503 and for ID_UNRESOLVED. */
  readonly retryAfter?: number;
  /** Further response headers, such as Allow. */
  readonly headers?: Readonly<Record<string, string>>;
  /** The lines of the faults of settings. They must not contain a secret. */
  readonly faults?: readonly string[];
  /** The underlying error, for the log. The caller never sees it. */
  readonly cause?: unknown;
}

/** A text may quote input of the client, and is stored, logged and sent. */
const LONGEST_MESSAGE = 1000;

/** Copies the text: a slice would keep the whole string in memory. */
const shortened = (text: string): string =>
  text.length <= LONGEST_MESSAGE ? text : Buffer.from(`${text.slice(0, LONGEST_MESSAGE)}…`).toString();

/** The only error class: a code of the table, and the text for this case. */
export class GatewayError extends Error {
  override readonly name = "GatewayError";
  readonly code: ErrorCode;
  readonly status: number;
  readonly retryAfter: number | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly faults: readonly string[] | undefined;

  constructor(code: ErrorCode, options: GatewayErrorOptions = {}) {
    const { stackTraceLimit } = Error;
    // One call can have 100,000 refused events. A stack trace for each costs time and explains nothing.
    if (ERRORS[code].outcome === "refused") Error.stackTraceLimit = 0;
    super(
      options.message === undefined ? ERRORS[code].message : shortened(options.message),
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    Error.stackTraceLimit = stackTraceLimit;
    this.code = code;
    this.status = options.status ?? ERRORS[code].status;
    this.retryAfter =
      options.retryAfter ?? (ERRORS[code].status === 503 || code === "ID_UNRESOLVED" ? 1 : undefined);
    this.headers = options.headers ?? {};
    this.faults = options.faults;
  }

  get outcome(): FailureOutcome {
    return ERRORS[this.code].outcome;
  }
}

/** Returns a GatewayError as it is, and wraps any other error as INTERNAL with the error as its cause. */
export const asGatewayError = (error: unknown): GatewayError =>
  error instanceof GatewayError ? error : new GatewayError("INTERNAL", { cause: error });

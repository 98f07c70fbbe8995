/**
 * The table of all errors that a caller can get. Each row has the HTTP status, the default text, the outcome for the
 * event and the error code of the Confluent REST Proxy. `docs/errors.md` explains each row; a test compares both lists.
 */

/** The event is not stored and a retry fails too; is not stored and can be sent again; or may be stored. */
export type FailureOutcome = "refused" | "unavailable" | "unknown";

interface ErrorRow {
  /** HTTP status if the call fails as a whole. */
  readonly status: number;
  /** Default text. `GatewayErrorOptions.message` replaces it. */
  readonly message: string;
  readonly outcome: FailureOutcome;
  /** `error_code` in answers of the REST Proxy API (`/v3`, `/topics`). */
  readonly restProxy: number;
}

export const ERRORS = {
  UNAUTHORIZED: { status: 401, message: "Unauthorized", outcome: "refused", restProxy: 40101 },
  STATION_FORBIDDEN: {
    status: 403,
    message: "Not allowed to access this station",
    outcome: "refused",
    restProxy: 40301,
  },
  GROUP_FORBIDDEN: {
    status: 403,
    message: "Not allowed to use this consumer group",
    outcome: "refused",
    restProxy: 40301,
  },
  ORIGIN_FORBIDDEN: {
    status: 403,
    message: "This origin is not allowed",
    outcome: "refused",
    restProxy: 40301,
  },
  HANDSHAKE_REFUSED: {
    status: 403,
    message: "The verification token is wrong",
    outcome: "refused",
    restProxy: 40301,
  },
  ADMINISTRATION_DISABLED: {
    status: 403,
    message: "Administrative endpoints are disabled",
    outcome: "refused",
    restProxy: 40301,
  },
  ROUTE_UNKNOWN: { status: 404, message: "Not Found", outcome: "refused", restProxy: 404 },
  STATION_UNKNOWN: { status: 404, message: "Station does not exist", outcome: "refused", restProxy: 40403 },
  PARTITION_UNKNOWN: { status: 404, message: "Partition not found", outcome: "refused", restProxy: 40402 },
  OFFSET_OUT_OF_RANGE: {
    status: 400,
    message: "The partition has no record at this offset",
    outcome: "refused",
    restProxy: 400,
  },
  METHOD_NOT_ALLOWED: { status: 405, message: "Method Not Allowed", outcome: "refused", restProxy: 405 },
  CONTENT_TYPE_UNSUPPORTED: {
    status: 415,
    message: "unsupported content type",
    outcome: "refused",
    restProxy: 415,
  },
  ENCODING_UNSUPPORTED: {
    status: 415,
    message: "unsupported content encoding",
    outcome: "refused",
    restProxy: 415,
  },
  ENCODING_BROKEN: {
    status: 400,
    message: "The request body can't be decoded",
    outcome: "refused",
    restProxy: 400,
  },
  BODY_TOO_LARGE: { status: 413, message: "Request Entity Too Large", outcome: "refused", restProxy: 413 },
  BODY_INCOMPLETE: { status: 400, message: "Request body ended early", outcome: "refused", restProxy: 400 },
  BODY_EMPTY: { status: 400, message: "Request body is empty", outcome: "refused", restProxy: 400 },
  EVENTS_TOO_MANY: {
    status: 413,
    message: "The call has too many events",
    outcome: "refused",
    restProxy: 413,
  },
  RECORD_TOO_LARGE: { status: 413, message: "Request Entity Too Large", outcome: "refused", restProxy: 413 },
  RECORD_REFUSED: {
    status: 400,
    message: "The topic refuses this record because of its key or its timestamp",
    outcome: "refused",
    restProxy: 42206,
  },
  RECORD_HEADERS_TOO_MANY: {
    status: 400,
    message: "The record has more headers than limits.recordHeaders allows",
    outcome: "refused",
    restProxy: 400,
  },
  RECORD_HEADERS_TOO_LARGE: {
    status: 413,
    message: "The record's headers have more bytes than limits.recordHeaderSize allows",
    outcome: "refused",
    restProxy: 413,
  },
  KEY_TOO_LARGE: {
    status: 413,
    message: "The record's key has more bytes than limits.keySize allows",
    outcome: "refused",
    restProxy: 413,
  },
  REQUEST_MALFORMED: { status: 400, message: "Malformed HTTP request", outcome: "refused", restProxy: 400 },
  TRANSFER_ENCODING_UNSUPPORTED: {
    status: 501,
    message: "Only the transfer coding chunked is supported",
    outcome: "refused",
    restProxy: 501,
  },
  EXPECTATION_UNKNOWN: {
    status: 417,
    message: "Only the expectation 100-continue is supported",
    outcome: "refused",
    restProxy: 417,
  },
  REQUEST_TIMEOUT: { status: 408, message: "Request Timeout", outcome: "unavailable", restProxy: 40801 },
  HEADERS_TOO_LARGE: {
    status: 431,
    message: "The request headers are larger than server.maxHeaderSize",
    outcome: "refused",
    restProxy: 431,
  },
  HEADER_RESERVED: {
    status: 400,
    message: "Headers may not start with $memphis",
    outcome: "refused",
    restProxy: 400,
  },
  JSON_INVALID: { status: 400, message: "Invalid JSON", outcome: "refused", restProxy: 400 },
  JSON_TOO_DEEP: { status: 400, message: "JSON is nested too deep", outcome: "refused", restProxy: 400 },
  REQUEST_UNSUPPORTED: { status: 400, message: "unsupported request", outcome: "refused", restProxy: 400 },
  REQUEST_INVALID: { status: 400, message: "Invalid request body", outcome: "refused", restProxy: 400 },
  SHAPE_INVALID: {
    status: 422,
    message: "The body has an invalid shape",
    outcome: "refused",
    restProxy: 422,
  },
  BATCH_INVALID: { status: 422, message: "The batch is invalid", outcome: "refused", restProxy: 42208 },
  REGISTRY_MISSING: {
    status: 400,
    message: "The request needs a schema registry, and no registry is configured",
    outcome: "refused",
    restProxy: 40002,
  },
  CLOUDEVENT_INVALID: { status: 400, message: "Invalid CloudEvent", outcome: "refused", restProxy: 400 },
  STATION_NAME_INVALID: {
    status: 400,
    message: "Invalid station name",
    outcome: "refused",
    restProxy: 40002,
  },
  SCHEMA_REFUSED: {
    status: 400,
    message: "Schema validation has failed",
    outcome: "refused",
    restProxy: 42206,
  },
  KEY_REFUSED: {
    status: 400,
    message: "The event's key is neither a string nor a number",
    outcome: "refused",
    restProxy: 42206,
  },
  USERNAME_REQUIRED: { status: 400, message: "Username is required", outcome: "refused", restProxy: 400 },
  FIELDS_INVALID: {
    status: 400,
    message:
      "Some of your fields are not valid it is usually because you are missing some fields or you are sending wrong " +
      "data types, also please notice that account_id field should be sent as a number rather than a string",
    outcome: "refused",
    restProxy: 400,
  },
  SCOPE_INVALID: { status: 400, message: "The scope is invalid", outcome: "refused", restProxy: 400 },
  LOGIN_THROTTLED: {
    status: 429,
    message: "Too many failed attempts",
    outcome: "unavailable",
    restProxy: 42901,
  },
  RATE_LIMITED: { status: 429, message: "Too many requests", outcome: "unavailable", restProxy: 42901 },
  OVERLOADED: { status: 503, message: "Server error", outcome: "unavailable", restProxy: 50302 },
  BROKER_UNAVAILABLE: { status: 503, message: "Server error", outcome: "unavailable", restProxy: 50302 },
  TOPIC_REFUSED: { status: 503, message: "Server error", outcome: "unavailable", restProxy: 50302 },
  GROUP_REFUSED: { status: 503, message: "Server error", outcome: "unavailable", restProxy: 50302 },
  HOME_UNAVAILABLE: { status: 503, message: "Server error", outcome: "unknown", restProxy: 50302 },
  SLOT_MOVED: { status: 503, message: "Server error", outcome: "unknown", restProxy: 50302 },
  BROKER_AMBIGUOUS: { status: 503, message: "Server error", outcome: "unknown", restProxy: 50003 },
  SHUTTING_DOWN: { status: 503, message: "Server error", outcome: "unavailable", restProxy: 50302 },
  INTERNAL: { status: 500, message: "Server error", outcome: "unknown", restProxy: 50001 },
  TARGET_REFUSED: {
    status: 502,
    message: "The target's address is not allowed; delivery.allowTargets can allow it",
    outcome: "refused",
    restProxy: 50001,
  },
  DELIVERY_STOPPED: {
    status: 500,
    message: "The strategy stopped the delivery",
    outcome: "refused",
    restProxy: 50001,
  },
  CONNECTOR_UNKNOWN: { status: 404, message: "Connector not found", outcome: "refused", restProxy: 404 },
  CONNECTOR_EXISTS: { status: 409, message: "Connector already exists", outcome: "refused", restProxy: 409 },
  CONNECTOR_CHANGED: {
    status: 409,
    message: "The connector was changed by another request at the same time",
    outcome: "refused",
    restProxy: 409,
  },
  CONNECTOR_READ_ONLY: {
    status: 409,
    message: "The connector is declared in the configuration file",
    outcome: "refused",
    restProxy: 409,
  },
  CONNECTOR_CONFIG_INVALID: {
    status: 400,
    message: "Connector configuration is invalid",
    outcome: "refused",
    restProxy: 400,
  },
  CONNECTOR_NOT_STOPPED: {
    status: 400,
    message: "The connector is not stopped",
    outcome: "refused",
    restProxy: 400,
  },
  SETTINGS_INVALID: {
    status: 500,
    message: "The settings are invalid",
    outcome: "refused",
    restProxy: 50001,
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof ERRORS;

export interface GatewayErrorOptions {
  /** Text for the caller, cut after 1,000 characters. It must not contain a secret. Default: the text of the row. */
  readonly message?: string;
  /** Seconds until a retry makes sense, sent as Retry-After. Default: 1 for status 503. */
  readonly retryAfter?: number;
  /** Further response headers, such as Allow. */
  readonly headers?: Readonly<Record<string, string>>;
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
  readonly retryAfter: number | undefined;
  readonly headers: Readonly<Record<string, string>>;

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
    this.retryAfter = options.retryAfter ?? (ERRORS[code].status === 503 ? 1 : undefined);
    this.headers = options.headers ?? {};
  }

  get status(): number {
    return ERRORS[this.code].status;
  }

  get outcome(): FailureOutcome {
    return ERRORS[this.code].outcome;
  }
}

/** Returns a GatewayError as it is, and wraps any other error as INTERNAL with the error as its cause. */
export const asGatewayError = (error: unknown): GatewayError =>
  error instanceof GatewayError ? error : new GatewayError("INTERNAL", { cause: error });

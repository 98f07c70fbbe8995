/** What each error code means: the text of an answer in the OpenAPI documents, and a column of `docs/errors.md`. */
import type { ErrorCode } from "../../errors.ts";

export const ERROR_MEANINGS: Readonly<Record<ErrorCode, string>> = {
  UNAUTHORIZED: "The credential is missing or not valid: malformed, expired, forged, or of a deleted user.",
  STATION_FORBIDDEN: "The credential is valid, but has no right for this station or this action.",
  GROUP_FORBIDDEN:
    "The caller may not read with this consumer group, or the gateway reserves the group for itself.",
  GROUP_IN_USE:
    "Consumer instances and `consume/batch` cannot read one group at the same time, and the other API reads this group now.",
  ORIGIN_FORBIDDEN:
    "The request's `Origin` is not in the credential's `origins`. Or the request has no `Origin`, and the credential has `origins` and is not a certificate.",
  HANDSHAKE_REFUSED: "A webhook handshake has a wrong verify token.",
  SIGN_IN_FAILED:
    "The sign-in with the identity provider failed. The text says why. The status depends on the reason: 400, 401, 403, or 503 if the provider is unreachable.",
  ROLE_FORBIDDEN: "The operator's role is too low for the route. The text names the role that it needs.",
  ADMINISTRATION_DISABLED:
    "The call is an administrative endpoint of the REST Proxy. Or it uses a consumer instance, and the credential has no right to consume.",
  ROUTE_UNKNOWN: "The path does not exist.",
  STATION_UNKNOWN: "There is no station, or no topic, with this name.",
  TOPIC_UNKNOWN: "The call of a consumer instance names a topic that is no station.",
  INSTANCE_UNKNOWN:
    "There is no consumer instance with this name, it has expired, or another caller has created it.",
  INSTANCE_EXISTS: "The group has a consumer instance with this name.",
  INSTANCE_CONFLICT:
    "The state of the consumer instance does not allow the call: no subscription, a subscription and an assignment together, or a partition that is not the instance's own. The message says which.",
  FORMAT_UNACCEPTABLE:
    "`Accept` does not allow the format of the consumer instance. For an event stream: `Accept` allows neither SSE nor NDJSON.",
  INSTANCE_SETTING_INVALID: "`auto.offset.reset`, `format` or a timeout of a consumer instance is not valid.",
  FETCH_MIN_BYTES_INVALID: "`fetch.min.bytes` is outside −1 to 10,000,000.",
  PARTITION_UNKNOWN:
    "The topic has no such partition, the number is negative, or a call that must name a partition names none.",
  OFFSET_OUT_OF_RANGE:
    "The partition has no record at this offset: retention has deleted the record, or the offset is beyond the end.",
  METHOD_NOT_ALLOWED: "The path exists, but not with this method. The header `Allow` lists the methods.",
  CONTENT_TYPE_UNSUPPORTED: "The content type is missing, or the route does not accept it.",
  ENCODING_UNSUPPORTED: "The Content-Encoding is not gzip, deflate or br.",
  ENCODING_BROKEN: "The body does not match its Content-Encoding.",
  BODY_TOO_LARGE: "The decoded body is larger than `server.bodyLimit`.",
  BODY_INCOMPLETE: "The connection ended before the end of the body; nothing was stored.",
  BODY_EMPTY: "The event has no bytes.",
  EVENTS_TOO_MANY: "The batch or beacon has more events than `limits.eventsPerCall`; nothing was stored.",
  RECORD_TOO_LARGE: "The event is larger than the station or the broker accepts.",
  RECORD_REFUSED:
    "The topic is compacted and the record has no key, or the timestamp is far ahead of Kafka's clock.",
  RECORD_HEADERS_TOO_MANY: "The record has more headers than `limits.recordHeaders`.",
  RECORD_HEADERS_TOO_LARGE: "The headers of the record are larger than `limits.recordHeaderSize`.",
  KEY_TOO_LARGE: "The record's key is larger than `limits.keySize`.",
  REQUEST_MALFORMED: "The bytes are not a valid HTTP request.",
  TRANSFER_ENCODING_UNSUPPORTED: "The Transfer-Encoding is not `chunked`, for example `gzip, chunked`.",
  EXPECTATION_UNKNOWN: "The Expect header is not `100-continue`.",
  REQUEST_TIMEOUT: "The body did not arrive within `server.requestTimeout`; nothing was stored.",
  HEADERS_TOO_LARGE: "The request's headers are larger than `server.maxHeaderSize`.",
  HEADER_RESERVED:
    "A header begins with `$memphis`, or is a record header that only the gateway sets (`x-stationgate-*`, `x-webhook-id`, `x-webhook-source`).",
  JSON_INVALID:
    "The body is not JSON in UTF-8, or has more values than `server.jsonMaxValues` or more members than `server.jsonMaxMembers`. In a body without events (connectors, consumer instances, `consume/batch`) both limits are 100,000.",
  JSON_TOO_DEEP: "The JSON has more levels than `server.jsonMaxDepth`.",
  REQUEST_UNSUPPORTED: "The batch is not a JSON array of objects; nothing was stored.",
  REQUEST_INVALID:
    "A field of the body, or a parameter of the URL, is missing, has a wrong type or is out of range.",
  SHAPE_INVALID:
    "The body of a v2 call has an unknown field or no records, or a parameter of its URL is not valid.",
  BATCH_INVALID:
    "The whole batch is invalid: an unknown field, no entries, too many entries, or an id that is missing, too long or not unique.",
  REGISTRY_MISSING:
    "A schema type, a schema id or `decode` needs a schema registry, and the settings have none.",
  REGISTRY_UNAVAILABLE:
    "The schema registry gives no usable answer, and the gateway does not know the schema yet. Or too many events wait for the registry. Or the station has a schema of type `registry`, and this schema does not exist yet or can't be used.",
  REGISTRY_FORBIDDEN: "The schema registry does not let the gateway's credential register schemas.",
  SCHEMA_UNKNOWN:
    "The registry does not have the id, the subject or the text. Or the id does not belong to the subject. Or `subject_name_strategy` needs the schema's name, and the schema has none. The message says which.",
  SCHEMA_VERSION_UNKNOWN: "The subject does not exist, or does not have the version in `schema_version`.",
  SCHEMA_REGISTRATION_REFUSED:
    "The registry refuses to register the schema: the schema is incompatible with the subject's versions, or not valid. The message has the registry's reason.",
  KEY_SCHEMA_MISSING: "v2: a record has a key, and the call has neither `key_schema` nor `key_schema_id`.",
  VALUE_SCHEMA_MISSING:
    "v2: a record has a value, and the call has neither `value_schema` nor `value_schema_id`.",
  SCHEMA_UNUSABLE:
    "The schema's text does not parse, is too large or too deep, or has references that can't be resolved.",
  DATA_REFUSED: "The data does not fit the schema that the record names; the message says where.",
  FRAME_REFUSED:
    "The bytes begin with 0, so the gateway reads them as Confluent's wire format. But the schema id in them does not belong to the station's subject, or the payload does not decode.",
  CLOUDEVENT_INVALID: "An attribute of the CloudEvent is not valid; the message names it.",
  STATION_NAME_INVALID: "No station can have this name. In v3: no Kafka topic can have this name.",
  SCHEMA_REFUSED: "The event does not fit the station's schema; the message says where.",
  KEY_REFUSED: "The station's `key` points to a value that is neither a string nor a number.",
  EVENT_ID_REFUSED:
    "The station has `once`, and the event has no id at the place that `once.id` names, or the id is neither a string nor a number. The message names the place.",
  IDEMPOTENCY_KEY_REUSED:
    "An earlier call with this `Idempotency-Key` had another body or content type; nothing was stored.",
  ID_UNRESOLVED:
    "An earlier request with the same id was interrupted, and the gateway does not know its outcome yet.",
  USERNAME_REQUIRED: "The sign-in has no username.",
  FIELDS_INVALID:
    "The body of the sign-in or refresh is neither JSON nor a form, or a field of this body has a wrong type.",
  SCOPE_INVALID: "The `scope` is not valid.",
  LOGIN_THROTTLED:
    "One address sent too many failed sign-ins of one user, wrong API keys or wrong operators' tokens.",
  RATE_LIMITED: "The credential or the address is over its rate; nothing was stored.",
  STREAMS_TOO_MANY:
    "The process, or the account or key, has as many event streams as `reading.streams` allows.",
  OVERLOADED:
    "`limits.memory` or another limit on waiting work is reached; nothing was stored. For `consume/batch`: no memory for events, or too many waiting calls; the position did not move.",
  BROKER_UNAVAILABLE:
    "The broker is unavailable, or the disk is full; the event is certainly not stored. For `consume/batch`: the consumer group did not answer; no event was consumed.",
  SPOOL_FULL:
    "Answer of `/readyz`: the broker is unavailable, and the spool is full. Calls whose events do not fit get `BROKER_UNAVAILABLE`.",
  TOPIC_REFUSED:
    "Kafka refuses the topic: the gateway has no rights on it, or the name or the settings are not valid.",
  GROUP_REFUSED:
    "Kafka refuses the consumer group: the gateway has no rights on it, Kafka's limits do not allow the session timeout, or the group's members have no assignor in common with the gateway's (`range`).",
  HOME_UNAVAILABLE:
    "No process serves this consumer group now, or the process that serves it cannot be reached.",
  SLOT_MOVED: "Only between gateways: another process took over this consumer group during the call.",
  BROKER_AMBIGUOUS:
    "The gateway sent the event to the broker and did not get the broker's answer: it is unknown whether the event is stored. On the routes of connectors: it is unknown whether the change is stored.",
  KEYS_UNAVAILABLE:
    "The gateway does not have the keys that verify this token; send the same token again after Retry-After.",
  SHUTTING_DOWN: "This process is shutting down; nothing was stored.",
  INTERNAL: "A bug in the gateway; the log has it with the request id.",
  TARGET_REFUSED: "The target of a delivery resolves to an address that is not allowed.",
  DELIVERY_STOPPED:
    "The connector's strategy stopped its task at a record; the status of the task names the record.",
  CONNECTOR_UNKNOWN:
    "There is no connector, task, connector class or logger with this name, or the level of a logger is not valid.",
  CONNECTOR_EXISTS: "There is already a connector with this name.",
  CONNECTOR_CHANGED: "Another request changed the connector at the same time.",
  CONNECTOR_READ_ONLY: "The settings file declares this connector.",
  CONNECTOR_CONFIG_INVALID:
    "The connector's configuration is not valid; the message has one line for each fault.",
  CONNECTOR_NOT_STOPPED: "The offsets of a connector can change only while it is stopped.",
  SETTINGS_INVALID: "A setting is wrong in a way that appears only when it is used.",
  SETTINGS_REFUSED: "A reload found faults in the settings or in a file that they name. Nothing has changed.",
  RELOAD_FAILED:
    "The settings have no faults, but a worker could not prepare them; `faults` has the reasons. Nothing has changed.",
  NOTHING_TO_RELOAD: "The gateway was started without a settings file, so there is no file to read again.",
};

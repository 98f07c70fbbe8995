/** For each row of the tables "The same and not the same": the test that shows it, by file and a part of its title. */
const APP = "tests/http/http-app.test.ts";
const AUTH = "tests/http/handlers/auth/routes.test.ts";
const STATIONS = "tests/http/handlers/stations/routes.test.ts";
const CONSUME = "tests/http/handlers/stations/consume.test.ts";
const PRODUCED = "tests/e2e/produce.test.ts";
const SINK = "tests/delivery/connectors/auckland/auckland.test.ts";
const ENDPOINT = "tests/delivery/connectors/plan.test.ts";
const RUNNER = "tests/delivery/engine/runner.test.ts";
const CONNECTORS = "tests/http/handlers/connectors/routes.test.ts";
const RECORDS = "tests/http/handlers/rest-proxy/records.test.ts";
const BATCH = "tests/http/handlers/rest-proxy/batch.test.ts";
const SCHEMAS = "tests/http/handlers/rest-proxy/schemas.test.ts";
const V2 = "tests/http/handlers/rest-proxy/v2.test.ts";
const ACCESS = "tests/http/handlers/rest-proxy/access.test.ts";
const ANCHOR = "tests/delivery/event-service/event-service.test.ts";
const ANCHOR_BODIES = "tests/delivery/event-service/bodies.test.ts";
const ANCHOR_SETTINGS = "tests/config/event-service.test.ts";

type Rows = Readonly<Record<string, readonly [file: string, title: string]>>;

/** By the guide and the first cell of the row. */
export const DIFFERENCES: Readonly<Record<string, Rows>> = {
  "docs/guides/migrating-from-memphis.md": {
    "`POST /auth/authenticate`": [AUTH, "answers with two tokens and their lifetimes in milliseconds"],
    "an expiry over the maximum": [AUTH, "uses the requested lifetimes, up to the maximum"],
    "`POST /auth/refreshToken`": [AUTH, "accepts the token in the body, with lifetimes"],
    "`produce/single`": [PRODUCED, "stores a single event byte for byte"],
    "`produce/batch`": [STATIONS, "stores the valid events and answers the refusals in order"],
    "a batch with a bad event": [STATIONS, "stores the valid events and answers the refusals in order"],
    "`consume/batch`": [CONSUME, "answers messages with their headers, and continues at the next event"],
    "group of `consume/batch`": [CONSUME, "refuses group %s, and names the setting that declares groups"],
    "`?authorization=<jwt>`": [APP, "accepts the scheme in any case, and the token in the query"],
    "schema refusals": ["tests/ingest/schema/protobuf.test.ts", "is refused without a required field"],
    "401": [AUTH, "answers %j with the same error"],
    "when 200 is answered": ["tests/e2e/durability.test.ts", "keeps each acknowledged event over kill -9"],
    "broker unavailable": [STATIONS, "answers 503 with Retry-After while the broker is unavailable"],
    "bytes of an event": [
      PRODUCED,
      "keeps the bytes of each batch element, also big integers and duplicate keys",
    ],
    credentials: [STATIONS, "stores record headers, but no credentials"],
    "`$memphis` headers": [STATIONS, "refuses headers that controlled the broker of the Memphis gateway"],
    "body that does not decode": [STATIONS, "refuses %s of %o with %i"],
    preflights: [APP, "answers preflights without a credential"],
    "Debezium Server's HTTP sink": [
      "tests/e2e/debezium.test.ts",
      "can refresh with /auth/authenticate, as Debezium 2.7 and 3.0 do",
    ],
  },
  "docs/guides/migrating-from-auckland-sink.md": {
    "settings and their defaults": [SINK, "has the sink's defaults"],
    "`callback.request.methods`": [SINK, "accept the method under its documented name too"],
    "wrong settings": [SINK, "are reported all at once"],
    "request body": [RUNNER, "sends the value byte for byte, with headers that identify the record"],
    "`X-B3-Info`": [ENDPOINT, "has the trace id that the Auckland sink computes"],
    "answer with `retry`": ["tests/delivery/connectors/auckland/answers.test.ts", "retryFlag"],
    "exception strategies": [
      RUNNER,
      "end with a drop at 995 s on the default schedule, then the next record is sent",
    ],
    "retries of a record": [RUNNER, "hold back only the record's own partition, and repeat no other record"],
    redirects: [RUNNER, "treat a %i as one failed request"],
    "requests of one attempt": [RUNNER, "send one request per attempt when the connection breaks"],
    pause: [RUNNER, "wait while the connector is paused, and continue with the same record"],
    "create, update, restart, delete": [
      CONNECTORS,
      "creates the connector, then retries the waiting record with the new settings",
    ],
    "pause and resume": [CONNECTORS, "pauses and resumes by PUT and by GET"],
    "secrets in answers": [CONNECTORS, "are masked in every answer"],
    converters: [SINK, "ignore keys of Kafka Connect itself"],
  },
  "docs/guides/rest-proxy.md": {
    "v3 `records`, v3 `records:batch`": [BATCH, "reports stored and failed entries by id"],
    "v2 `/topics/{topic}`, `…/partitions`": [V2, "stores the records in the partition of the path"],
    "record headers": [RECORDS, "is stored with its own headers only"],
    "partition of a key": [
      "tests/broker/partitions.test.ts",
      "hashes bytes above 127 as Java's signed bytes",
    ],
    "looking at clusters, topics": [ACCESS, "lists only the topics that the caller may produce to or read"],
    "topic settings": [ACCESS, "shows one topic, its partitions and their offsets in v2"],
    "cluster id": [
      RECORDS,
      "gets the cluster of the path in its report, and may name a station by the exact topic",
    ],
    "HTTP status of one v3 record": [RECORDS, "answers 200 with the error in the body"],
    errors: [RECORDS, "with the status of the error code"],
    "unknown topic and unavailable broker": [RECORDS, "get one report each if the topic does not exist"],
    outage: ["tests/e2e/rest-proxy-streams.test.ts", "has true reports, and continues"],
    "entries of `records:batch`": [BATCH, "answers 422 to a batch with %s"],
    credential: [ACCESS, "accepts %s"],
    "Avro, JSON Schema and Protobuf types": [RECORDS, "needs a schema registry: %j"],
    "a schema's text that is not known": [SCHEMAS, "register a new text if the settings allow it"],
    "`type` beside `schema_id`": [SCHEMAS, "name it by %j"],
    "one v2 record that does not fit": [SCHEMAS, "are framed, and the answer has the schema ids"],
    "schema registry unavailable": [
      "tests/e2e/schema-registry.test.ts",
      "goes on with known schemas while the registry hangs, and never answers 4xx to unknown ones",
    ],
    "a null value with a schema": [SCHEMAS, "are tombstones without a frame"],
    "v2 consumer instances": ["tests/e2e/consumers.test.ts", "runs Confluent's commands: json"],
    administration: [ACCESS, "answers 403 to every credential, also to a wrong credential"],
  },
  "docs/guides/event-service.md": {
    "topic, event format, group names": [ANCHOR, "start at positions that were stored for the groups before"],
    "bodies for clients and business server": [ANCHOR_BODIES, "is sent to the client"],
    "signature, JWT, `more_info_url`": [
      "tests/delivery/event-service/callbacks.test.ts",
      "equals a Stellar library's for $url, and the account's key verifies it",
    ],
    "which transactions a client gets": [
      "tests/delivery/event-service/callback-client.test.ts",
      "is sent to each client with transactions: all",
    ],
    "a callback that fails three times": [
      ANCHOR,
      "are sent at 0, 1 and 3 s, each with a new signature, then become a dead letter",
    ],
    "`auth.type: api_key`": [ANCHOR, "have the API key in the configured header"],
    "SEP-24 refunds with payments": [ANCHOR_BODIES, "there are vectors of each outcome"],
    "a missing `more_info_url` secret": [ANCHOR_SETTINGS, "warn about bodies without a more_info_url"],
    "301, 302 and 303": [ANCHOR, "count another redirect as success and don't follow it"],
    "two clients with the same keys or domains": [ANCHOR_SETTINGS, "shares its consumer group"],
    "callbacks with characters that are not ASCII": [
      "tests/delivery/event-service/callbacks.test.ts",
      "equals a Stellar library's for $url, and the account's key verifies it",
    ],
    "the path of `callback_api.base_url`": [
      ANCHOR_SETTINGS,
      "warn about a base URL with a path while keep_base_path is not set, with both URLs",
    ],
    "SQS, Java key stores": [ANCHOR_SETTINGS, "the event service's settings are refused with one line for"],
    MSK: [ANCHOR_SETTINGS, "msk without the sign-in of AWS"],
  },
};

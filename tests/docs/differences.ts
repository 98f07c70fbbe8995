/** For each row of the tables "The same and not the same": the test that shows it, by file and a part of its title. */
const APP = "tests/http/http-app.test.ts";
const AUTH = "tests/http/handlers/auth/routes.test.ts";
const STATIONS = "tests/http/handlers/stations/routes.test.ts";
const CONSUME = "tests/http/handlers/stations/consume.test.ts";
const PRODUCED = "tests/e2e/produce.test.ts";
const SINK = "tests/delivery/connectors/connector-config.test.ts";
const ENDPOINT = "tests/delivery/connectors/http-sink.test.ts";
const RUNNER = "tests/delivery/engine/runner.test.ts";
const CONNECTORS = "tests/http/handlers/connectors/routes.test.ts";
const RECORDS = "tests/http/handlers/rest-proxy/records.test.ts";
const BATCH = "tests/http/handlers/rest-proxy/batch.test.ts";
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
    "an expiry over the maximum": [AUTH, "keeps the expiries that are asked for, up to the maximum"],
    "`POST /auth/refreshToken`": [AUTH, "takes the token in the body, with expiries"],
    "`produce/single`": [PRODUCED, "stores a single event byte for byte"],
    "`produce/batch`": [STATIONS, "tells each refusal in order"],
    "a batch with a bad event": [STATIONS, "stores the valid ones, whatever their place"],
    "`consume/batch`": [CONSUME, "gives messages with their headers, and goes on where it was"],
    "group of `consume/batch`": [CONSUME, "says where groups are declared"],
    "`?authorization=<jwt>`": [APP, "takes the scheme in any case, and the token in the query"],
    "schema refusals": ["tests/ingest/schema/protobuf.test.ts", "is refused without a required field"],
    "401": [AUTH, "answers %j alike"],
    "when 200 is answered": [
      "tests/e2e/durability.test.ts",
      "keeps every acknowledged event when the process is killed",
    ],
    "broker away": [STATIONS, "answers 503 with Retry-After while the broker is away"],
    "bytes of an event": [PRODUCED, "keeps each batch element's own bytes"],
    credentials: [STATIONS, "stores the headers that travel, and no credential"],
    "`$memphis` headers": [STATIONS, "refuses headers that steered the original's broker"],
    "body that does not decode": [STATIONS, "refuses %s of %o with %i"],
    preflights: [APP, "answers preflights without a credential"],
    "Debezium Server's HTTP sink": [
      "tests/e2e/debezium.test.ts",
      "answers the refresh that Debezium 2.7 and 3.0",
    ],
  },
  "docs/guides/migrating-from-auckland-sink.md": {
    "settings and their defaults": [SINK, "has the sink's defaults"],
    "`callback.request.methods`": [SINK, "takes the method under its documented name too"],
    "wrong settings": [SINK, "are told all at once"],
    "request body": [RUNNER, "sends the value byte for byte, with the headers that name the record"],
    "`X-B3-Info`": [ENDPOINT, "names the record by the digest that the sink makes of it"],
    "answer with `retry`": ["tests/delivery/connectors/http-sink/retry-flag.test.ts", "retryFlag"],
    "exception strategies": [RUNNER, "drops at 995 s on the default schedule, then goes on"],
    "retries of a record": [RUNNER, "holds back only the record's own partition, and sends nothing again"],
    redirects: [RUNNER, "takes a %i as one failed request"],
    "requests of one attempt": [RUNNER, "sends one request an attempt when the socket breaks"],
    pause: [RUNNER, "sends nothing while paused, retries included"],
    "create, update, restart, delete": [CONNECTORS, "creates, then replaces at once"],
    "pause and resume": [CONNECTORS, "pauses and resumes, by PUT and by GET"],
    "secrets in answers": [CONNECTORS, "are masked in every answer"],
    "converters and transforms": [SINK, "leaves keys alone that are Connect's own"],
  },
  "docs/guides/rest-proxy.md": {
    "v3 `records`, v3 `records:batch`": [BATCH, "reports what is stored and what isn't, by id"],
    "v2 `/topics/{topic}`, `…/partitions`": [V2, "goes to the path's partition"],
    "record headers": [RECORDS, "has the headers that it gives and no others"],
    "partition of a key": ["tests/broker/partitions.test.ts", "as Java's signed bytes are taken"],
    "looking at clusters, topics": [ACCESS, "lists the topics that the caller may produce to or read"],
    "topic settings": [ACCESS, "shows one topic, its partitions and their offsets in v2"],
    "cluster id": [RECORDS, "echoes any cluster"],
    "HTTP status of one v3 record": [
      RECORDS,
      "answers 200 with the error inside where the client asks for it",
    ],
    errors: [RECORDS, "has the status of its code"],
    "unknown topic and broker away": [RECORDS, "each say that there is no such topic"],
    outage: [
      "tests/e2e/rest-proxy-streams.test.ts",
      "reports of each record what is true of it, and goes on",
    ],
    "entries of `records:batch`": [BATCH, "refuses a batch with %s: 422"],
    credential: [ACCESS, "comes with %s"],
    "schema fields of a v2 body": [V2, "ignores what names a schema"],
    "Avro, JSON Schema and Protobuf types": [RECORDS, "needs a schema registry: %j"],
    "administration, consumer instances": [ACCESS, "is disabled, whatever the credential"],
  },
  "docs/guides/event-service.md": {
    "topic, event format, group names": [
      ANCHOR,
      "take over from positions that others have stored for the groups",
    ],
    "bodies for clients and business server": [ANCHOR_BODIES, "goes to the client"],
    "signature, JWT, `more_info_url`": [
      "tests/delivery/event-service/callbacks.test.ts",
      "is what a Stellar library makes of $url",
    ],
    "which transactions a client gets": [
      "tests/delivery/event-service/callback-client.test.ts",
      "goes to each client with all",
    ],
    "a callback that fails three times": [ANCHOR, "and then a dead letter"],
    "`auth.type: api_key`": [ANCHOR, "carry the API key in the header of the configured name"],
    "SEP-24 refunds with payments": [ANCHOR_BODIES, "has vectors of each outcome"],
    "a missing `more_info_url` secret": [ANCHOR_SETTINGS, "warn of bodies that will have no more_info_url"],
    "301, 302 and 303": [ANCHOR, "count another redirect as success and don't follow it"],
    "two clients with the same keys or domains": [ANCHOR_SETTINGS, "shares its consumer group"],
    "callbacks with characters that are not ASCII": [
      "tests/delivery/event-service/callbacks.test.ts",
      "is what a Stellar library makes of $url",
    ],
    "`callback_api.keep_base_path` is not set": [ANCHOR_SETTINGS, "warn of a base URL with a path"],
    "SQS, MSK, Java key stores": [ANCHOR_SETTINGS, "that are refused, with one line each"],
  },
};

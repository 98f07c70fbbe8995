/** Rules of the event service that hold between keys. */
import type { Fault } from "./faults.ts";
import type { Settings } from "./schema.ts";

type EventService = Settings["eventService"];

const AT = "eventService";

/** RFC 7518, section 3.2: an HS256 key is at least as long as the hash. */
const SHORTEST_KEY = 32;

const processors = ["client_status_callback", "callback_api_request"] as const;

const disabled = ({ events, event_processor: processor }: EventService): readonly Fault[] =>
  processors
    .filter((name) => !events.enabled && processor[name].enabled)
    .map((name) => ({
      path: [AT, "event_processor", name, "enabled"],
      text: "got true, allowed: false where events.enabled is false",
    }));

const nothing = (path: readonly string[], allowed: string): Fault => ({
  path: [AT, ...path],
  text: `got nothing, allowed: ${allowed}`,
});

const authSecret = ({ callback_api: { auth }, secret }: EventService): readonly Fault[] => {
  const path = ["secret", "callback_api", "auth_secret"];
  const { auth_secret: key } = secret.callback_api;
  if (auth.type === "none") return [];
  if (key === undefined)
    return [nothing(path, `SECRET_CALLBACK_API_AUTH_SECRET where callback_api.auth.type is ${auth.type}`)];
  const length = Buffer.byteLength(key);
  return auth.type === "jwt" && length < SHORTEST_KEY
    ? [{ path: [AT, ...path], text: `got ${length} bytes, allowed: ${SHORTEST_KEY} bytes or more for jwt` }]
    : [];
};

const businessServer = ({ event_processor: processor, callback_api: api }: EventService): readonly Fault[] =>
  processor.callback_api_request.enabled && api.base_url === undefined
    ? [nothing(["callback_api", "base_url"], "a URL where callback_api_request is enabled")]
    : [];

const clients = ({
  event_processor: processor,
  clients: { value },
  secret,
}: EventService): readonly Fault[] => {
  if (!processor.client_status_callback.enabled) return [];
  const where = "where client_status_callback is enabled";
  return [
    ...(value.length === 0 ? [nothing(["clients", "value"], `at least one client ${where}`)] : []),
    ...(secret.sep10.signing_seed === undefined
      ? [nothing(["secret", "sep10", "signing_seed"], `SECRET_SEP10_SIGNING_SEED ${where}`)]
      : []),
  ];
};

const kafkaSecurity = ({ events, secret }: EventService): readonly Fault[] => {
  const { security_protocol: protocol, bootstrap_server: servers } = events.queue.kafka;
  const where = `where security_protocol is ${protocol}`;
  if (protocol === "PLAINTEXT") return [];
  if (servers === undefined)
    return [nothing(["events", "queue", "kafka", "bootstrap_server"], `host:port ${where}`)];
  const { kafka } = secret.events.queue;
  return protocol === "SSL"
    ? []
    : (["username", "password"] as const)
        .filter((name) => kafka[name] === undefined)
        .map((name) =>
          nothing(
            ["secret", "events", "queue", "kafka", name],
            `SECRET_EVENTS_QUEUE_KAFKA_${name.toUpperCase()} ${where}`,
          ),
        );
};

/** What the event service can't be started with. */
export const eventServiceFaults = (settings: { readonly eventService?: EventService }): readonly Fault[] => {
  const { eventService } = settings;
  if (eventService === undefined) return [];
  return [disabled, authSecret, businessServer, clients, kafkaSecurity].flatMap((check) =>
    check(eventService),
  );
};

/** Settings that are allowed and do nothing. */
export const eventServiceWarnings = ({ eventService: { clients: given } }: Settings): readonly string[] =>
  given.value
    .filter(({ callback_urls: urls }) => urls.quote_created !== undefined)
    .map(({ name }) => `client ${name} has a URL for quote_created: quotes go to no client`);

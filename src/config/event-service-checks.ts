/** Rules and warnings of the event service that need several keys. */
import { joinedDistinct } from "../lib/text.ts";
import type { Fault } from "./faults.ts";
import type { Settings } from "./schema/schema.ts";
import { clientsIn } from "./schema/event-service-settings.ts";

type EventService = Settings["eventService"];

const AT = "eventService";

/** Bytes. HS256 requires a key that is at least as long as the hash (RFC 7518, section 3.2). */
const MIN_KEY_BYTES = 32;

const nothing = (path: readonly string[], allowed: string): Fault => ({
  path: [AT, ...path],
  text: `got nothing, allowed: ${allowed}`,
});

const authSecret = ({ callback_api: { auth }, secret }: EventService): readonly Fault[] => {
  const path = ["secret", "callback_api", "auth_secret"];
  const { auth_secret: key } = secret.callback_api;
  if (auth.type === "none") return [];
  if (key === undefined)
    return [nothing(path, `SECRET_CALLBACK_API_AUTH_SECRET if callback_api.auth.type is ${auth.type}`)];
  const length = Buffer.byteLength(key);
  return auth.type === "jwt" && length < MIN_KEY_BYTES
    ? [{ path: [AT, ...path], text: `got ${length} bytes, allowed: ${MIN_KEY_BYTES} bytes or more for jwt` }]
    : [];
};

const businessServer = ({ event_processor: processor, callback_api: api }: EventService): readonly Fault[] =>
  processor.callback_api_request.enabled && api.base_url === undefined
    ? [nothing(["callback_api", "base_url"], "a URL if callback_api_request is enabled")]
    : [];

/** Path of the list of clients. */
export const clientListPath = ({ clients: { type } }: EventService): readonly string[] => [
  "clients",
  type === "inline" ? "items" : "value",
];

/** True if a client has a callback URL. Without a URL no client callbacks start. */
const callsClients = ({
  event_processor: { client_status_callback: processor },
  clients,
}: EventService): boolean =>
  processor.enabled &&
  clientsIn(clients).some(({ callback_urls: urls }) => Object.values(urls).some((url) => url !== undefined));

const signingSeed = (settings: EventService): readonly Fault[] =>
  callsClients(settings) && settings.secret.sep10.signing_seed === undefined
    ? [
        nothing(
          ["secret", "sep10", "signing_seed"],
          "SECRET_SEP10_SIGNING_SEED if a client has a callback URL",
        ),
      ]
    : [];

/** Two clients with the same consumer group would each get only some of the events. */
const clientGroups = (settings: EventService): readonly Fault[] => {
  const all = clientsIn(settings.clients);
  return all.flatMap((client, i) => {
    const other = all.slice(0, i).find((before) => shareGroup(before, client));
    const path = [AT, ...clientListPath(settings), i];
    return other === undefined
      ? []
      : [
          {
            path,
            text: `shares its consumer group with ${other.name}: each client needs different signing_keys or domains`,
          },
        ];
  });
};

type Client = EventService["clients"]["value"][number];

/** An earlier Stationgate used the client's name as the group. Two clients with the same name are another fault already. */
const shareGroup = (one: Client, other: Client): boolean => {
  if (one.name === other.name) return false;
  const [list, otherList] = [listOf(one), listOf(other)];
  return list === otherList || list === other.name || otherList === one.name;
};

const listOf = (client: Client): string =>
  joinedDistinct(client.type === "custodial" ? client.signing_keys : client.domains);

const moreInfoSecrets = ({ secret }: EventService): readonly Fault[] =>
  (["sep6", "sep24"] as const).flatMap((sep) => {
    const key = secret[sep].more_info_url.jwt_secret;
    const length = key === undefined ? MIN_KEY_BYTES : Buffer.byteLength(key);
    const path = [AT, "secret", sep, "more_info_url", "jwt_secret"];
    return length < MIN_KEY_BYTES
      ? [{ path, text: `got ${length} bytes, allowed: ${MIN_KEY_BYTES} bytes or more` }]
      : [];
  });

const kafkaSecurity = ({ events, secret }: EventService): readonly Fault[] => {
  const { security_protocol: protocol, bootstrap_server: servers } = events.queue.kafka;
  const condition = `if security_protocol is ${protocol}`;
  if (protocol === "PLAINTEXT" || events.queue.type === "msk") return [];
  if (servers === undefined)
    return [nothing(["events", "queue", "kafka", "bootstrap_server"], `host:port ${condition}`)];
  const { kafka } = secret.events.queue;
  return protocol === "SSL"
    ? []
    : (["username", "password"] as const)
        .filter((name) => kafka[name] === undefined)
        .map((name) =>
          nothing(
            ["secret", "events", "queue", "kafka", name],
            `SECRET_EVENTS_QUEUE_KAFKA_${name.toUpperCase()} ${condition}`,
          ),
        );
};

/** MSK is a Kafka with the sign-in of `broker.kafka`. Without brokers of its own, it is the gateway's broker. */
const mskSignIn = (
  { events: { queue } }: EventService,
  broker: Settings["broker"] | undefined,
): readonly Fault[] => {
  if (queue.type !== "msk" || broker === undefined) return [];
  const path = [AT, "events", "queue", "type"];
  if (broker.kafka.sasl?.mechanism !== "aws-msk-iam")
    return [{ path, text: "got msk, allowed: msk only if broker.kafka.sasl.mechanism is aws-msk-iam" }];
  return broker.type === "kafka" || queue.kafka.bootstrap_server !== undefined
    ? []
    : [nothing(["events", "queue", "kafka", "bootstrap_server"], "host:port if broker.type is not kafka")];
};

/** The faults that prevent the start of the event service. */
export const eventServiceFaults = ({
  eventService,
  broker,
}: Partial<Pick<Settings, "eventService" | "broker">>): readonly Fault[] => {
  if (eventService === undefined) return [];
  const faults = [
    authSecret,
    businessServer,
    signingSeed,
    clientGroups,
    moreInfoSecrets,
    kafkaSecurity,
  ].flatMap((check) => check(eventService));
  return [...faults, ...mskSignIn(eventService, broker)];
};

/** Warnings about settings that are valid but may have an unexpected effect. */
export const eventServiceWarnings = ({ eventService }: Settings): readonly string[] => [
  ...clientsIn(eventService.clients)
    .filter(({ callback_urls: urls }) => urls.quote_created !== undefined)
    .map(
      ({ name }) => `client ${name} has a URL for quote_created, which has no effect: clients get no quotes`,
    ),
  ...basePathWarnings(eventService),
  ...moreInfoWarnings(eventService),
];

const basePathWarnings = ({
  event_processor: processor,
  callback_api: api,
}: EventService): readonly string[] => {
  const { base_url: base, keep_base_path: keep } = api;
  if (!processor.callback_api_request.enabled || base === undefined || keep !== undefined) return [];
  const { origin, pathname } = new URL(base);
  if (pathname === "/") return [];
  const kept = `${origin}${pathname.replace(/\/+$/, "")}/event`;
  return [
    `callback_api.base_url has a path, and callback_api.keep_base_path is not set: callbacks go to ${origin}/event. With keep_base_path: true, which is what the Anchor Platform does since 3.0, they go to ${kept}`,
  ];
};

const moreInfoWarnings = (settings: EventService): readonly string[] => {
  if (!callsClients(settings) || settings.event_processor.client_status_callback.bodies !== "sep") return [];
  const { secret, clients } = settings;
  return (["sep6", "sep24"] as const)
    .filter((sep) => clientsIn(clients).some(({ callback_urls: urls }) => urls[sep] !== undefined))
    .filter((sep) => secret[sep].more_info_url.jwt_secret === undefined)
    .map(
      (sep) =>
        `SECRET_${sep.toUpperCase()}_MORE_INFO_URL_JWT_SECRET is not set: the bodies of ${sep} transactions have no more_info_url`,
    );
};

/** Rules that need several keys or sections, and warnings about valid settings. */
import { brokenRule } from "../lib/standard-webhooks-secret.ts";
import { certificateWarnings, clientFaults, issuerWarnings } from "./auth-checks.ts";
import { adminFaults, adminWarnings } from "./admin-checks.ts";
import { clientListPath, eventServiceFaults, eventServiceWarnings } from "./event-service-checks.ts";
import { type Fault, repeated } from "./faults.ts";
import { saslFaults } from "./sasl-checks.ts";
import type { Settings } from "./schema/schema.ts";
import { clientsIn } from "./schema/event-service-settings.ts";

/** The sections without faults. A rule is skipped while a section that it needs has a fault. */
export type ValidSections = Partial<Settings>;

type Check = (settings: ValidSections) => readonly Fault[];

const brokersOfKafka: Check = ({ broker }) =>
  broker?.type === "kafka" && broker.kafka.brokers.length === 0
    ? [
        {
          path: ["broker", "kafka", "brokers"],
          text: "got nothing, allowed: at least one host:port if broker.type is kafka",
        },
      ]
    : [];

/** Without a URL there is no registry. A key that only makes sense with a registry shows that its URL was forgotten. */
const addressesOfRegistry: Check = ({ registry }) => {
  if (registry === undefined) return [];
  const { urls, auth, ca, cert, autoRegister } = registry;
  if (urls.length === 0) {
    const given = Object.entries({ auth, ca, cert }).find(([, value]) => value !== undefined)?.[0];
    const reason = given ?? (autoRegister ? "autoRegister" : undefined);
    return reason === undefined
      ? []
      : [{ path: ["registry", "url"], text: `got nothing, allowed: a URL if registry.${reason} is set` }];
  }
  const named = urls.findIndex((url) => new URL(url).username !== "" || new URL(url).password !== "");
  return auth !== undefined && named !== -1
    ? [
        {
          path: ["registry", "auth"],
          text: "got a credential in addition to the user info in a URL, allowed: one of them",
        },
      ]
    : [];
};

const ANY_ADDRESS = ["0.0.0.0", "::"];

const portsOfListeners: Check = ({ server, admin }) => {
  if (server === undefined || admin === undefined) return [];
  if (server.port !== admin.port || server.port === 0) return [];
  const hosts = [server.host, admin.host];
  const overlap = hosts[0] === hosts[1] || ANY_ADDRESS.some((any) => hosts.includes(any));
  return overlap
    ? [{ path: ["admin", "port"], text: `got ${server.port}, allowed: a port other than server.port` }]
    : [];
};

/** Every worker has a peer port of its own. `auto` starts as many workers as there are CPU cores, which is not known here. */
const portsOfPeers: Check = ({ server, admin, reading }) => {
  if (server === undefined || admin === undefined || reading === undefined) return [];
  const { port, host } = reading.peer;
  if (host !== undefined && ANY_ADDRESS.includes(host)) {
    const text = `got ${JSON.stringify(host)}, allowed: one address, at which other gateways reach this one`;
    return [{ path: ["reading", "peer", "host"], text }];
  }
  if (port === 0) return [];
  const last = port + (server.workers === "auto" ? 1 : server.workers) - 1;
  const path = ["reading", "peer", "port"];
  const taken = Object.entries({ server, admin }).find(([, own]) => own.port >= port && own.port <= last);
  if (taken !== undefined)
    return [
      { path, text: `got ${port}, which gives a worker the port of ${taken[0]}.port, allowed: another port` },
    ];
  return last > 65_535
    ? [
        {
          path,
          text: `got ${port}, which has no ports for ${server.workers} workers above it, allowed: a lower port`,
        },
      ]
    : [];
};

const topicsOfTheGateway: Check = ({ delivery, reading, once }) => {
  const others = { "delivery.connectorsTopic": delivery?.connectorsTopic, "reading.topic": reading?.topic };
  const faultsIn = (section: string, topic: string | undefined): readonly Fault[] => {
    const path = `${section}.topic`;
    const taken = Object.entries(others).find(([name, other]) => name !== path && other === topic)?.[0];
    return topic === undefined || taken === undefined
      ? []
      : [
          {
            path: [section, "topic"],
            text: `got ${JSON.stringify(topic)}, allowed: a topic other than ${taken}`,
          },
        ];
  };
  return [...faultsIn("reading", reading?.topic), ...faultsIn("once", once?.topic)];
};

/** The program of the sandbox itself needs a part of the memory. */
const LEAST_SANDBOX = 16 * 1024 ** 2;

const memoryOfSandbox: Check = ({ delivery }) =>
  delivery !== undefined && delivery.sandbox.memory < LEAST_SANDBOX
    ? [
        {
          path: ["delivery", "sandbox", "memory"],
          text: `got ${delivery.sandbox.memory}, allowed: at least 16mb`,
        },
      ]
    : [];

/** Each slot remembers its share, at least one id. */
const idsOfSlots: Check = ({ once }) =>
  once !== undefined && once.maxIds < once.partitions
    ? [
        {
          path: ["once", "maxIds"],
          text: `got ${once.maxIds}, allowed: a number that is not less than once.partitions (${once.partitions})`,
        },
      ]
    : [];

const tokenKinds = ["accessToken", "refreshToken"] as const;

const secretsOfTokens: Check = ({ auth }) =>
  tokenKinds
    .filter((kind) => auth?.[kind].secrets.length === 0)
    .filter((kind) => {
      const other = kind === "accessToken" ? auth?.refreshToken : auth?.accessToken;
      return (auth?.accounts.length ?? 0) > 0 || (other?.secrets.length ?? 0) > 0;
    })
    .map((kind) => ({
      path: ["auth", kind, "secret"],
      text: "got nothing, allowed: a non-empty string (sign-in needs access and refresh tokens)",
    }));

const differentSecrets: Check = ({ auth }) => {
  const access = new Set(auth?.accessToken.secrets.map(({ secret }) => secret));
  return auth?.refreshToken.secrets.some(({ secret }) => access.has(secret)) === true
    ? [
        {
          path: ["auth", "refreshToken", "secret"],
          text: "got a secret of auth.accessToken, allowed: a different one",
        },
      ]
    : [];
};

const distinctKids: Check = ({ auth }) =>
  tokenKinds.flatMap((kind) =>
    repeated(auth?.[kind].secrets.map(({ kid }) => kid) ?? [], (i) => ["auth", kind, "secrets", i, "kid"]),
  );

const lifetimes: Check = ({ auth }) =>
  tokenKinds
    .filter((kind) => auth !== undefined && auth[kind].ttl > auth[kind].maxTtl)
    .map((kind) => ({ path: ["auth", kind, "ttl"], text: `is longer than auth.${kind}.maxTtl` }));

const distinctNames: Check = ({ auth, stations, webhooks, connectors, roles, eventService }) => [
  ...repeated(auth?.accounts.map(({ username }) => username) ?? [], (i) => [
    "auth",
    "accounts",
    i,
    "username",
  ]),
  ...repeated(stations?.map(({ name }) => name) ?? [], (i) => ["stations", i, "name"]),
  ...repeated(webhooks?.map(({ source }) => source) ?? [], (i) => ["webhooks", i, "source"]),
  ...repeated(connectors?.map(({ name }) => name) ?? [], (i) => ["connectors", i, "name"]),
  ...repeated(roles ?? [], (i) => ["roles", i]),
  ...(eventService === undefined
    ? []
    : repeated(
        clientsIn(eventService.clients).map(({ name }) => name),
        (i) => ["eventService", ...clientListPath(eventService), i, "name"],
      )),
];

/** A reader without `groups` uses the group `stationgate-{name}`, and the gateways themselves use such a group too. */
const readersOfTheGateways: Check = ({ auth, reading, once }) => {
  const taken = [reading, once].map((given) => given?.topic.replace("_stationgate-", ""));
  const accounts = (auth?.accounts ?? []).map(({ username, consume }) => ({ name: username, consume }));
  const keys = (auth?.apiKeys ?? []).map(({ id, consume }) => ({ name: id, consume }));
  const faultsIn = (
    readers: readonly { readonly name: string; readonly consume: readonly string[] }[],
    section: string,
    key: string,
  ): readonly Fault[] =>
    readers.flatMap(({ name, consume }, index) =>
      taken.includes(name) && consume.length > 0
        ? [
            {
              path: ["auth", section, index, key],
              text: `got ${JSON.stringify(name)}, allowed: another name for a reader (the gateways use the consumer group stationgate-${name})`,
            },
          ]
        : [],
    );
  return [
    ...faultsIn(accounts, "accounts", "username"),
    ...faultsIn(keys, "apiKeys", "id"),
    ...faultsIn(auth?.certificates ?? [], "certificates", "name"),
  ];
};

const registryOfStations: Check = ({ registry, stations }) =>
  registry === undefined || registry.urls.length > 0
    ? []
    : (stations ?? []).flatMap(({ schema }, i) =>
        schema?.type === "registry"
          ? [
              {
                path: ["stations", i, "schema", "type"],
                text: "got registry, allowed: another type, because registry.url is not set",
              },
            ]
          : [],
      );

/** Checks the format of Standard Webhooks secrets. The other schemes prescribe no format. */
const secretsOfWebhooks: Check = ({ webhooks }) =>
  (webhooks ?? []).flatMap((webhook, i) => {
    if (webhook.scheme !== "standard-webhooks") return [];
    return webhook.secrets.flatMap((secret, j) => {
      const rule = brokenRule(secret);
      const path = ["webhooks", i, "secrets", j];
      return rule === undefined
        ? []
        : [{ path, text: `of source ${webhook.source} is invalid, allowed: ${rule}` }];
    });
  });

const checks: readonly Check[] = [
  brokersOfKafka,
  saslFaults,
  addressesOfRegistry,
  portsOfListeners,
  portsOfPeers,
  topicsOfTheGateway,
  memoryOfSandbox,
  idsOfSlots,
  secretsOfTokens,
  differentSecrets,
  distinctKids,
  lifetimes,
  distinctNames,
  clientFaults,
  readersOfTheGateways,
  secretsOfWebhooks,
  registryOfStations,
  eventServiceFaults,
  adminFaults,
];

/** The faults of rules that compare several keys. */
export const crossFaults = (settings: ValidSections): readonly Fault[] =>
  checks.flatMap((check) => check(settings));

/** A webhook source may name a station that is not declared yet. Until it is declared, each webhook is refused. */
const webhooksWithoutStation = ({ webhooks, stations, autoCreateStations }: Settings): readonly string[] =>
  webhooks
    .filter(({ station }) => !autoCreateStations && !stations.some(({ name }) => name === station))
    .map(
      ({ source, station }) => `webhook source ${source} posts to station ${station}, which is not declared`,
    );

/** Bytes. HS256 requires a key that is at least as long as the hash (RFC 7518, section 3.2). */
const MIN_SECRET_BYTES = 32;

const shortSecrets = ({ accessToken, refreshToken }: Settings["auth"]): readonly string[] =>
  Object.entries({ accessToken, refreshToken })
    .filter(([, { secrets }]) => secrets.some(({ secret }) => Buffer.byteLength(secret) < MIN_SECRET_BYTES))
    .map(([name]) => `auth.${name} has a secret shorter than ${MIN_SECRET_BYTES} bytes: it can be guessed`);

const clientCount = ({ accounts, apiKeys, issuers, certificates }: Settings["auth"]): number =>
  accounts.length + apiKeys.length + issuers.length + certificates.length;

/** Warnings about settings that are valid but probably a mistake. */
export const warningsOf = (settings: Settings, laptop: boolean): readonly string[] => [
  ...adminWarnings(settings, laptop),
  ...(clientCount(settings.auth) === 0 && !laptop
    ? ["auth.accounts, auth.apiKeys, auth.issuers and auth.certificates are empty: no client can produce"]
    : []),
  ...certificateWarnings(settings),
  ...settings.webhooks
    .filter(({ scheme }) => scheme === "none")
    .map(({ source }) => `webhook source ${source} has scheme none: anyone who knows its URL can post`),
  ...webhooksWithoutStation(settings),
  ...shortSecrets(settings.auth),
  ...issuerWarnings(settings),
  ...eventServiceWarnings(settings),
];

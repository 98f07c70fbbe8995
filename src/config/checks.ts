/** Rules that hold between sections, and what is worth a warning. */
import { brokenRule } from "../lib/standard-webhooks-secret.ts";
import { clientListPath, eventServiceFaults, eventServiceWarnings } from "./event-service-checks.ts";
import type { Fault } from "./faults.ts";
import type { Settings } from "./schema/schema.ts";
import { clientsIn } from "./schema/event-service-settings.ts";
import type { Path } from "./tree.ts";

/** The sections that are sound: a rule that needs another one waits until that is mended. */
export type SoundSections = Partial<Settings>;

type Check = (settings: SoundSections) => readonly Fault[];

/** A fault for each entry whose name an earlier one has. */
const repeated = (names: readonly string[], pathOf: (index: number) => Path): readonly Fault[] =>
  names.flatMap((name, index) =>
    names.indexOf(name) === index
      ? []
      : [{ path: pathOf(index), text: `got ${JSON.stringify(name)} a second time, allowed: each name once` }],
  );

const brokersOfKafka: Check = ({ broker }) =>
  broker?.type === "kafka" && broker.kafka.brokers.length === 0
    ? [
        {
          path: ["broker", "kafka", "brokers"],
          text: "got nothing, allowed: at least one host:port where broker.type is kafka",
        },
      ]
    : [];

const ANY_ADDRESS = ["0.0.0.0", "::"];

const portsOfListeners: Check = ({ server, admin }) => {
  if (server === undefined || admin === undefined) return [];
  if (server.port !== admin.port || server.port === 0) return [];
  const hosts = [server.host, admin.host];
  const overlap = hosts[0] === hosts[1] || ANY_ADDRESS.some((any) => hosts.includes(any));
  return overlap
    ? [{ path: ["admin", "port"], text: `got ${server.port}, allowed: another port than server.port` }]
    : [];
};

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
      text: "got nothing, allowed: a text that is not empty (accounts sign in with tokens of both kinds)",
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
    .map((kind) => ({ path: ["auth", kind, "ttl"], text: `is longer than auth.${kind}.maxTtl allows` }));

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

/** A group that a reader without `groups` names is kept apart by the reader's name. */
const distinctReaders: Check = ({ auth }) => {
  const accounts = new Set(
    auth?.accounts.filter(({ consume }) => consume.length > 0).map(({ username }) => username),
  );
  return (auth?.apiKeys ?? []).flatMap(({ id, consume }, index) =>
    consume.length > 0 && accounts.has(id)
      ? [
          {
            path: ["auth", "apiKeys", index, "id"],
            text: `got ${JSON.stringify(id)}, allowed: another name than that of an account (both may read, and would share their consumer groups)`,
          },
        ]
      : [],
  );
};

/** Secrets that a scheme would refuse when it is made. The other schemes' vendors make theirs as they like. */
const secretsOfWebhooks: Check = ({ webhooks }) =>
  (webhooks ?? []).flatMap((webhook, i) => {
    if (webhook.scheme !== "standard-webhooks") return [];
    return webhook.secrets.flatMap((secret, j) => {
      const rule = brokenRule(secret);
      const path = ["webhooks", i, "secrets", j];
      return rule === undefined ? [] : [{ path, text: `of source ${webhook.source}: allowed: ${rule}` }];
    });
  });

const checks: readonly Check[] = [
  brokersOfKafka,
  portsOfListeners,
  secretsOfTokens,
  differentSecrets,
  distinctKids,
  lifetimes,
  distinctNames,
  distinctReaders,
  secretsOfWebhooks,
  eventServiceFaults,
];

/** The faults that show only when several keys are seen together. */
export const crossFaults = (settings: SoundSections): readonly Fault[] =>
  checks.flatMap((check) => check(settings));

/** Webhooks may name a station before it is declared; until then each of their deliveries is refused. */
const webhooksWithoutStation = ({ webhooks, stations, autoCreateStations }: Settings): readonly string[] =>
  webhooks
    .filter(({ station }) => !autoCreateStations && !stations.some(({ name }) => name === station))
    .map(
      ({ source, station }) => `webhook source ${source} posts to ${station}, which is no declared station`,
    );

/** HS256 asks for a key at least as long as its digest (RFC 7518, section 3.2). */
const LONG_ENOUGH = 32;

const shortSecrets = ({ accessToken, refreshToken }: Settings["auth"]): readonly string[] =>
  Object.entries({ accessToken, refreshToken })
    .filter(([, { secrets }]) => secrets.some(({ secret }) => Buffer.byteLength(secret) < LONG_ENOUGH))
    .map(([name]) => `auth.${name} has a secret shorter than ${LONG_ENOUGH} bytes: it can be guessed`);

/** What is allowed, and yet probably not meant. */
export const warningsOf = (settings: Settings, laptop: boolean): readonly string[] => [
  ...(settings.admin.token === undefined && !laptop
    ? ["admin.token is not set: the operators' routes refuse everyone"]
    : []),
  ...(settings.auth.accounts.length + settings.auth.apiKeys.length === 0 && !laptop
    ? ["auth.accounts and auth.apiKeys are empty: no client can produce"]
    : []),
  ...settings.webhooks
    .filter(({ scheme }) => scheme === "none")
    .map(({ source }) => `webhook source ${source} has scheme none: anyone who knows its URL can post`),
  ...webhooksWithoutStation(settings),
  ...shortSecrets(settings.auth),
  ...eventServiceWarnings(settings),
];

/**
 * Masks credentials in configurations, and restores them when a masked value is sent back. Credentials are in headers, in
 * URLs (userinfo, query parameters) and in keys such as `secret`.
 */
import { isCredentialName, mapUrlCredentials, maskUrlCredentials } from "../../lib/url-credentials.ts";
import { isJsonForm, parseHeaders, printHeaders, type HeaderPair } from "./config-values.ts";
import { additionalHeaders, printAdditionalHeaders } from "./aiven/headers.ts";
import { KEYS as AIVEN_KEYS } from "./aiven/keys.ts";
import { KEYS as AUCKLAND_KEYS } from "./auckland/keys.ts";
import { type Key, OWN_OAUTH2_KEYS } from "./keys.ts";
import { createHiding } from "./reference-text.ts";

export type RawConfig = Readonly<Record<string, string>>;

export const MASK = "********";

const maskUrl = (raw: string): string => maskUrlCredentials(raw, MASK);

const unmaskUrl = (raw: string, stored: string): string => {
  const known = new Map<string, string>();
  mapUrlCredentials(
    stored,
    (value) => (known.set("@", value), value),
    (name, value) => (known.set(name, value), value),
  );
  const restore = (name: string, value: string): string =>
    value === MASK ? (known.get(name) ?? MASK) : value;
  return mapUrlCredentials(raw, (value) => restore("@", value), restore);
};

/** How a key writes headers, or other pairs of names and values. */
interface HeaderKey {
  /** undefined: the headers can't be parsed. */
  readonly parse: (config: RawConfig) => readonly HeaderPair[] | undefined;
  /** `like`: text whose form the result has. */
  readonly print: (pairs: readonly HeaderPair[], config: RawConfig, like: string) => string;
}

/** `name:value` pairs, or a JSON object, with a separator that another key can change. */
const pairsKey = (name: string, separatorName: string): HeaderKey => {
  const separatorOf = (config: RawConfig): string => config[separatorName] ?? "|";
  return {
    parse: (config) => {
      const parsed = parseHeaders(config[name] ?? "", separatorOf(config));
      return "value" in parsed ? parsed.value : undefined;
    },
    print: (pairs, config, like) => printHeaders(pairs, separatorOf(config), like),
  };
};

/** Without the characters that stand for hidden references. */
const encoded = (text: string): string => encodeURIComponent(text).replaceAll("%C2%B7", "\u00b7");

const HEADER_KEYS: ReadonlyMap<string, HeaderKey> = new Map([
  [AUCKLAND_KEYS.headers.name, pairsKey(AUCKLAND_KEYS.headers.name, AUCKLAND_KEYS.headerSeparator.name)],
  ["headers", pairsKey("headers", "header.separator")],
  [
    AIVEN_KEYS.additionalHeaders.name,
    {
      parse: (config: RawConfig) => {
        const parsed = additionalHeaders(config[AIVEN_KEYS.additionalHeaders.name] ?? "");
        return "value" in parsed ? parsed.value : undefined;
      },
      print: printAdditionalHeaders,
    },
  ],
  [
    OWN_OAUTH2_KEYS.extraParams.name,
    {
      parse: (config: RawConfig) => {
        const parsed = OWN_OAUTH2_KEYS.extraParams.parse(config[OWN_OAUTH2_KEYS.extraParams.name] ?? "");
        return "value" in parsed ? parsed.value : undefined;
      },
      print: (pairs: readonly HeaderPair[]) =>
        pairs.map(([name, value]) => `${encoded(name)}=${encoded(value)}`).join("&"),
    },
  ],
]);

/** Headers of an api of Confluent's HTTP Sink V2. */
const API_HEADERS = /^api\d+\.http\.request\.headers$/;

const headerKeyOf = (name: string): HeaderKey | undefined =>
  HEADER_KEYS.get(name) ?? (API_HEADERS.test(name) ? pairsKey(name, `${name}.separator`) : undefined);

/** Headers that can't be parsed are masked as a whole, because a credential can't be located in them. */
const maskHeaders = (
  { parse, print }: HeaderKey,
  raw: string,
  config: RawConfig,
  mask: (credential: string) => string,
): string => {
  if (raw === "") return raw;
  const pairs = parse(config);
  if (pairs === undefined) return MASK;
  if (!pairs.some(([name]) => isCredentialName(name))) return raw;
  const masked = pairs.map(([name, value]): HeaderPair => [
    name,
    isCredentialName(name) ? mask(value) : value,
  ]);
  return print(masked, config, raw);
};

const unmaskHeaders = (
  { parse, print }: HeaderKey,
  raw: string,
  config: RawConfig,
  stored: RawConfig,
): string => {
  if (!raw.includes(MASK)) return raw;
  const known = new Map(parse(stored)?.map(([name, value]) => [name.toLowerCase(), value]));
  const pairs = parse(config);
  if (pairs === undefined) return raw;
  const restored = pairs.map(([name, value]): HeaderPair => [
    name,
    value === MASK ? (known.get(name.toLowerCase()) ?? MASK) : value,
  ]);
  return print(restored, config, isJsonForm(raw) ? raw : "");
};

const CREDENTIAL_KEY =
  /password|passwd|secret|credential|sasl\.jaas|token|(api|access|private)[._-]?key|\.key$|user\.info|authorization/i;

/** Keys of a family that hold no credential, although their names look like it. */
const PLAIN_KEYS: ReadonlySet<string> = new Set(
  [...Object.values<Key<unknown>>(AUCKLAND_KEYS), ...Object.values<Key<unknown>>(AIVEN_KEYS)]
    .filter(({ type }) => type !== "PASSWORD")
    .map(({ name }) => name),
);

const mapConfig = (config: RawConfig, map: (key: string, value: string) => string): RawConfig =>
  Object.fromEntries(Object.entries(config).map(([key, value]) => [key, map(key, value)]));

/** The configuration with masked credentials. A reference to a configuration provider is no credential, and stays. */
export const maskConfig = (config: RawConfig): RawConfig => {
  const { hide, show, isPlain } = createHiding();
  const hidden = mapConfig(config, (_, value) => hide(value));
  const mask = (credential: string): string => (isPlain(credential) ? credential : MASK);
  const masked = mapConfig(hidden, (key, value) => {
    const headers = headerKeyOf(key);
    if (headers !== undefined) return maskHeaders(headers, value, hidden, mask);
    // Any value may be a URL with credentials, for example of a proxy or a registry.
    return CREDENTIAL_KEY.test(key) && !PLAIN_KEYS.has(key) ? mask(value) : maskUrl(value);
  });
  return mapConfig(masked, (_, value) => show(value));
};

/** Replaces masked values with the stored values, if there are any. */
export const unmaskConfig = (config: RawConfig, stored: RawConfig): RawConfig => {
  const { hide, show } = createHiding();
  const [given, before] = [config, stored].map((one) => mapConfig(one, (_, value) => hide(value))) as [
    RawConfig,
    RawConfig,
  ];
  const unmasked = mapConfig(given, (key, value) => {
    const headers = headerKeyOf(key);
    if (headers !== undefined) return unmaskHeaders(headers, value, given, before);
    return value === MASK ? (before[key] ?? value) : unmaskUrl(value, before[key] ?? "");
  });
  return mapConfig(unmasked, (_, value) => show(value));
};

/**
 * Masks credentials in configurations, and restores them when a masked value is sent back. Credentials are in headers, in
 * URLs (userinfo, query parameters) and in keys such as `secret`.
 */
import { isCredentialName, mapUrlCredentials, maskUrlCredentials } from "../../lib/url-credentials.ts";
import { isJsonForm, parseHeaders, printHeaders, type HeaderPair } from "./config-values.ts";
import { KEYS } from "./auckland/keys.ts";

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

const separatorOf = (config: RawConfig): string =>
  config[KEYS.headerSeparator.name] ?? KEYS.headerSeparator.default ?? "|";

const pairsOf = (config: RawConfig): readonly HeaderPair[] | undefined => {
  const parsed = parseHeaders(config[KEYS.headers.name] ?? "", separatorOf(config));
  return "value" in parsed ? parsed.value : undefined;
};

/** Headers that can't be parsed are masked as a whole, because a credential can't be located in them. */
const maskHeaders = (raw: string, config: RawConfig): string => {
  const pairs = pairsOf(config);
  if (pairs === undefined) return MASK;
  const masked = pairs.map(([name, value]): HeaderPair => [name, isCredentialName(name) ? MASK : value]);
  return printHeaders(masked, separatorOf(config), raw);
};

const unmaskHeaders = (raw: string, config: RawConfig, stored: RawConfig): string => {
  if (!raw.includes(MASK)) return raw;
  const known = new Map(pairsOf(stored)?.map(([name, value]) => [name.toLowerCase(), value]));
  const pairs = pairsOf(config);
  if (pairs === undefined) return raw;
  const restored = pairs.map(([name, value]): HeaderPair => [
    name,
    value === MASK ? (known.get(name.toLowerCase()) ?? MASK) : value,
  ]);
  return printHeaders(restored, separatorOf(config), isJsonForm(raw) ? raw : "");
};

const CREDENTIAL_KEY =
  /password|passwd|secret|credential|sasl\.jaas|token|(api|access|private)[._-]?key|(keystore|ssl)\.key$|user\.info|authorization/i;

const mapConfig = (config: RawConfig, map: (key: string, value: string) => string): RawConfig =>
  Object.fromEntries(Object.entries(config).map(([key, value]) => [key, map(key, value)]));

/** The configuration with masked credentials. */
export const maskConfig = (config: RawConfig): RawConfig =>
  mapConfig(config, (key, value) => {
    if (key === KEYS.headers.name) return maskHeaders(value, config);
    // Any value may be a URL with credentials, for example of a proxy or a registry.
    return CREDENTIAL_KEY.test(key) ? MASK : maskUrl(value);
  });

/** Replaces masked values with the stored values, if there are any. */
export const unmaskConfig = (config: RawConfig, stored: RawConfig): RawConfig =>
  mapConfig(config, (key, value) => {
    if (key === KEYS.headers.name) return unmaskHeaders(value, config, stored);
    return value === MASK ? (stored[key] ?? value) : unmaskUrl(value, stored[key] ?? "");
  });

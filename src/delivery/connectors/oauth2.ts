/** The keys of OAuth 2.0, which Aiven's and Confluent's sinks spell differently, and the token use that they describe. */
import type { Targets } from "../engine/targets.ts";
import type { TokenUse } from "../engine/transport.ts";
import { type Reader, readUrl } from "./config-reader.ts";
import type { FormFields, HeaderPair } from "./config-values.ts";
import type { CREDENTIAL_PLACES, Key } from "./keys.ts";

/** The keys as a family spells them. */
export interface OAuth2Keys {
  readonly tokenUrl: Key<URL>;
  readonly clientId: Key<string>;
  readonly clientSecret: Key<string>;
  readonly scope: Key<string>;
  readonly credentials: Key<(typeof CREDENTIAL_PLACES)[number]>;
  readonly tokenProperty: Key<string>;
  readonly audience: Key<string>;
  readonly extraParams: Key<FormFields>;
  /** Absent: `grant_type`, `client_credentials`, `client_id`, `client_secret`. */
  readonly grantTypeField?: Key<string>;
  readonly grantType?: Key<string>;
  readonly clientIdField?: Key<string>;
  readonly clientSecretField?: Key<string>;
  /** Absent: 401. */
  readonly renewOn?: Key<readonly number[]>;
}

export interface OAuth2Request {
  readonly targets: Targets | undefined;
  /** When the keys are required, for example `auth.type = OAUTH2`. undefined: they have no effect, but a bad value is a fault. */
  readonly when: string | undefined;
  /** Headers of the token request. */
  readonly headers?: readonly HeaderPair[];
}

const UNAUTHORIZED = 401;

/** The key's value, or a fixed one if the family has no such key. */
const readOr = <T>({ read }: Reader, key: Key<T> | undefined, fixed: T): T =>
  key === undefined ? fixed : (read(key) ?? fixed);

/** All that has a default. */
const readOptions = (reader: Reader, keys: OAuth2Keys) => {
  const { read } = reader;
  const scope = read(keys.scope)?.trim();
  return {
    scope: scope === "" ? undefined : scope,
    credentials: read(keys.credentials) === "URL" ? ("form" as const) : ("header" as const),
    fields: {
      grantType: readOr(reader, keys.grantTypeField, "grant_type"),
      clientId: readOr(reader, keys.clientIdField, "client_id"),
      clientSecret: readOr(reader, keys.clientSecretField, "client_secret"),
    },
    grantType: readOr(reader, keys.grantType, "client_credentials"),
    tokenProperty: readOr(reader, keys.tokenProperty, "access_token"),
    audience: read(keys.audience),
    extra: read(keys.extraParams) ?? [],
  };
};

/** undefined: there is no access token, or there are faults. */
export const readOAuth2 = (
  reader: Reader,
  keys: OAuth2Keys,
  { targets, when, headers = [] }: OAuth2Request,
): TokenUse | undefined => {
  const { read, invalid, faults } = reader;
  const url = readUrl(reader, keys.tokenUrl, when === undefined ? undefined : targets);
  const [clientId = "", clientSecret = ""] = [read(keys.clientId), read(keys.clientSecret)];
  const options = readOptions(reader, keys);
  const renewOn = new Set(readOr(reader, keys.renewOn, [UNAUTHORIZED]));
  if (when === undefined) return undefined;
  const required = [
    [keys.tokenUrl, url],
    [keys.clientId, clientId],
    [keys.clientSecret, clientSecret],
  ] as const;
  for (const [{ name }, value] of required)
    if ((value === undefined || value === "") && !faults.some(({ key }) => key === name))
      invalid(name, `Must be present when ${when}`);
  if (url === undefined) return undefined;
  return { endpoint: { url, clientId, clientSecret, ...options, headers: headers.flat() }, renewOn };
};

/** The keys of the proxy, the trust store and the key store of outbound connections. Each family spells them in its own way. */
import { isIP } from "node:net";
import { FileFault, readBoundedFile } from "../../lib/bounded-file.ts";
import { errnoOf } from "../../lib/file-system.ts";
import { type KeyStore, readKeyStore } from "../../lib/key-store/key-store.ts";
import { KeyStoreFault } from "../../lib/key-store/raw-store.ts";
import type { Targets } from "../engine/targets.ts";
import type { Proxy, TlsMaterial } from "../engine/transport.ts";
import type { Reader } from "./config-reader.ts";
import type { Key } from "./keys.ts";

export interface ProxyKeys {
  readonly host: Key<string>;
  readonly port: Key<number>;
  /** Basic credentials. Absent: the proxy gets none. */
  readonly user?: Key<string>;
  readonly password?: Key<string>;
}

const originOf = (host: string, port: number): string | undefined => {
  const url = `http://${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
  if (!URL.canParse(url) || /[/?#@\\\s]/.test(host)) return undefined;
  return new URL(url).origin;
};

/** Basic credentials, if the keys say a user. */
const credentialsOf = ({ read }: Reader, keys: ProxyKeys): string | undefined => {
  const user = (keys.user && read(keys.user)) ?? "";
  const password = (keys.password && read(keys.password)) ?? "";
  return user === "" ? undefined : `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}`;
};

/** The proxy's origin, or a key and its fault. */
const placeOf = (
  host: string,
  port: number,
  keys: ProxyKeys,
): { readonly origin: string } | readonly [string, string] => {
  if (host === "") return [keys.port.name, TOGETHER];
  if (port === 0) return [keys.host.name, TOGETHER];
  const origin = originOf(host, port);
  return origin === undefined ? [keys.host.name, "Not a host name or an address"] : { origin };
};

const TOGETHER = "Proxy host and port must be defined together";

/** undefined: there is no proxy, or there are faults. A port of 0 or less counts as absent. */
export const readProxy = (
  reader: Reader,
  keys: ProxyKeys,
  targets: Targets | undefined,
): Proxy | undefined => {
  const { read, invalid } = reader;
  const host = read(keys.host)?.trim() ?? "";
  const port = Math.max(0, read(keys.port) ?? 0);
  const authorization = credentialsOf(reader, keys);
  if (host === "" && port === 0) return undefined;
  const place = placeOf(host, port, keys);
  if (!("origin" in place)) {
    invalid(...place);
    return undefined;
  }
  const { origin } = place;
  const refused = targets?.refusalOf(new URL(origin).hostname);
  if (refused !== undefined) invalid(keys.host.name, refused);
  return { origin, authorization };
};

export interface StoreKeys {
  readonly location: Key<string>;
  readonly password: Key<string>;
  /** Password of the private key. Absent: the password of the store. */
  readonly keyPassword?: Key<string>;
}

/** Maximum size of a key store or trust store. Java's own trust store has about 160 KiB. */
const MAX_STORE_BYTES = 4 * 1024 * 1024;

const faultOf = (error: unknown): string => {
  if (error instanceof KeyStoreFault) return error.message;
  if (error instanceof FileFault) return `the file can't be read: ${error.message}`;
  return `the file can't be read (${errnoOf(error) ?? "unknown error"})`;
};

/** undefined: no store is named, or it can't be read, which is a fault. */
const readStore = ({ read, invalid }: Reader, keys: StoreKeys): KeyStore | undefined => {
  const location = read(keys.location)?.trim() ?? "";
  const store = read(keys.password);
  const key = keys.keyPassword && read(keys.keyPassword);
  if (location === "") return undefined;
  try {
    return readKeyStore(readBoundedFile(location, MAX_STORE_BYTES), { store, key });
  } catch (error) {
    invalid(keys.location.name, faultOf(error));
    return undefined;
  }
};

/** The authorities of a trust store: JKS, PKCS12 or PEM, by the content of the file. undefined: Node's, or there are faults. */
export const readTruststore = (reader: Reader, keys: StoreKeys): TlsMaterial["authorities"] => {
  const store = readStore(reader, keys);
  if (store?.certificates.length === 0)
    reader.invalid(keys.location.name, "the file contains no certificate");
  return store?.certificates;
};

export interface InlineKeys {
  /** The private key, and the certificates, as PEM. */
  readonly key: Key<string>;
  readonly chain: Key<string>;
  readonly keyPassword: Key<string>;
}

/** undefined: no text, or it can't be read, which is a fault. */
const readInline = (
  reader: Reader,
  from: Key<string>,
  pem: string,
  password?: string,
): KeyStore | undefined => {
  if (pem.trim() === "") return undefined;
  try {
    return readKeyStore(Buffer.from(pem), { store: undefined, key: password });
  } catch (error) {
    // The fault of a file speaks of a file, and the value must not be shown.
    reader.fault(from.name, `${from.name}: ${faultOf(error).replace("the file", "the text")}`);
    return undefined;
  }
};

/** The authorities of a PEM text. */
export const readInlineAuthorities = (reader: Reader, from: Key<string>): TlsMaterial["authorities"] =>
  readInline(reader, from, reader.read(from) ?? "")?.certificates;

/** The client certificate: of a key store, or of PEM texts. undefined: the keys name no certificate, or they have faults. */
export const readClientCertificate = (
  reader: Reader,
  store: StoreKeys,
  inline: InlineKeys,
): TlsMaterial["client"] => {
  const { read, faults, invalid, fault } = reader;
  const before = faults.length;
  const found = readStore(reader, store);
  const [key = "", chain = "", password] = [inline.key, inline.chain, inline.keyPassword].map(read);
  const text = readInline(reader, inline.key, `${key}\n${chain}`, password);
  if (faults.length > before) return undefined;
  if (found !== undefined && found.key === undefined)
    invalid(store.location.name, "the file contains no private key");
  if (text !== undefined && (text.key === undefined || text.certificates.length === 0))
    fault(inline.key.name, `${inline.key.name} and ${inline.chain.name} must be set together`);
  return found?.key ?? text?.key;
};

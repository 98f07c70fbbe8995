/** Reads and checks the PEM files of `server.tls` and `admin.tls`. Only the main process does it, so that all workers have the same pair. */
import { createPrivateKey, hkdfSync, randomBytes, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import type { Settings } from "../config/schema/schema.ts";
import { type PemFiles, tlsOptionsOf } from "../http/tls/secure-context.ts";

/** The PEM texts of the ports with TLS. Plain data, which goes to the workers beside the settings. */
export interface TlsFiles {
  readonly public?: PemFiles;
  readonly admin?: PemFiles;
}

export interface ReadTls {
  /** The pairs to serve with: of a port with a fault the pair in use, if there is one. */
  readonly files: TlsFiles;
  /** One line for each fault of a file, as the start prints it. */
  readonly faults: readonly string[];
  /** Certificates that have expired or expire soon. */
  readonly warnings: readonly string[];
}

type TlsSettings = NonNullable<Settings["server"]["tls"]>;

/** The main process sends the keys that it derives from this secret to the workers. */
const ticketSecret = randomBytes(32);

/** Another certificate has other keys: a client that resumes its session would not see the new certificate. */
const ticketKeysFor = (cert: string): Buffer =>
  Buffer.from(hkdfSync("sha256", ticketSecret, cert, "stationgate session tickets", 48));

const DAY = 86_400_000;
/** A certificate that expires within this time causes a warning at the start. */
const SOON_MS = 14 * DAY;

/**
 * With `inUse`, the pairs that the gateway serves with, this is a reload: an expired certificate is then a fault as long as the
 * certificate in use is valid. `now` is in milliseconds since the epoch.
 */
export const readTls = (
  { server, admin }: Pick<Settings, "server" | "admin">,
  inUse: TlsFiles = {},
  now = Date.now(),
): ReadTls => {
  const ports = [
    readPort("server.tls", server.tls, { inUse: inUse.public, now }),
    readPort("admin.tls", admin.tls, { inUse: inUse.admin, now }),
  ] as const;
  const [pub, adm] = ports.map(({ pem }) => pem);
  return {
    files: { ...(pub && { public: pub }), ...(adm && { admin: adm }) },
    faults: ports.flatMap((port) => port.faults),
    warnings: ports.flatMap(({ warnings }) => warnings),
  };
};

interface ReadPort {
  readonly pem: PemFiles | undefined;
  readonly faults: readonly string[];
  readonly warnings: readonly string[];
}

interface Circumstances {
  readonly inUse: PemFiles | undefined;
  readonly now: number;
}

const readPort = (name: string, tls: TlsSettings | undefined, circumstances: Circumstances): ReadPort => {
  if (tls === undefined) return { pem: undefined, faults: [], warnings: [] };
  const { inUse, now } = circumstances;
  const reader = createReader(name, tls);
  const pair = readPair(reader, tls);
  if (pair !== undefined) reader.checkExpiry(pair.leaf, circumstances);
  if (pair === undefined || reader.faults.length > 0)
    return { pem: inUse, faults: reader.faults, warnings: [] };
  const { keyPassphrase, clientAuth, minVersion } = tls;
  const { cert, key, ca, leaf } = pair;
  const pem: PemFiles = {
    ...{ cert, key, keyPassphrase, ca, clientAuth, minVersion },
    ticketKeys: ticketKeysFor(cert),
  };
  reader.checkUse(pem);
  return reader.faults.length > 0
    ? { pem: inUse, faults: reader.faults, warnings: [] }
    : { pem, faults: [], warnings: warningsOf(name, leaf, now) };
};

interface Pair {
  readonly cert: string;
  readonly key: string;
  readonly ca: string | undefined;
  /** The certificate of the port. */
  readonly leaf: X509Certificate;
}

/** undefined: a file has a fault. */
const readPair = (reader: Reader, tls: TlsSettings): Pair | undefined => {
  const cert = reader.certificates("cert", tls.cert);
  const key = reader.read("key", tls.key);
  const ca = tls.ca === undefined ? undefined : reader.certificates("ca", tls.ca);
  if (key !== undefined) reader.checkKey(key, cert);
  const leaf = cert?.parsed[0];
  return leaf && key !== undefined ? { cert: cert.text, key, ca: ca?.text, leaf } : undefined;
};

interface Certificates {
  readonly text: string;
  readonly parsed: readonly X509Certificate[];
}

type Reader = ReturnType<typeof createReader>;

const createReader = (name: string, tls: TlsSettings) => {
  const faults: string[] = [];
  const refuse = (setting: string, text: string): void => {
    faults.push(`${name}.${setting}: ${text}`);
  };

  const read = (setting: string, path: string): string | undefined => {
    try {
      return readFileSync(path, "utf8");
    } catch {
      refuse(setting, `got ${quoted(path)}, which is not a readable file`);
      return undefined;
    }
  };

  return {
    faults,
    read,
    checkExpiry: ({ validTo }: X509Certificate, { inUse, now }: Circumstances): void => {
      if (Date.parse(validTo) > now || inUse === undefined) return;
      if (notAfterOf(new X509Certificate(inUse.cert)) > now)
        refuse("cert", `got ${quoted(tls.cert)}, whose certificate expired on ${validTo}`);
    },
    certificates: (setting: string, path: string): Certificates | undefined => {
      const text = read(setting, path);
      if (text === undefined) return undefined;
      const parsed = certificatesIn(text);
      if (parsed !== undefined && parsed.length > 0) return { text, parsed };
      refuse(setting, `got ${quoted(path)}, which contains no PEM certificate`);
      return undefined;
    },
    checkKey: (text: string, cert: Certificates | undefined): void => {
      const key = privateKey(text, tls.keyPassphrase);
      if (key === undefined)
        refuse(
          "key",
          `got ${quoted(tls.key)}, which contains no PEM private key that ${tls.keyPassphrase === undefined ? "needs no passphrase" : "keyPassphrase opens"}`,
        );
      else if (cert?.parsed[0]?.checkPrivateKey(key) === false)
        refuse(
          "key",
          `got ${quoted(tls.key)}, which belongs to another certificate than ${name}.cert ${quoted(tls.cert)}`,
        );
    },
    /** For faults that only OpenSSL knows, such as a key that is too short. Its reason has no part of a file. */
    checkUse: (pem: PemFiles): void => {
      try {
        createSecureContext(tlsOptionsOf(pem));
      } catch (error) {
        const { reason, message } = error as Error & { readonly reason?: string };
        refuse("cert", `got ${quoted(tls.cert)}, which TLS cannot use (${reason ?? message})`);
      }
    },
  };
};

const quoted = (path: string): string => JSON.stringify(path);

const BLOCK = /-----BEGIN (?:X509 )?CERTIFICATE-----[^-]*-----END (?:X509 )?CERTIFICATE-----/g;

/** The certificates of a PEM text; undefined if one of them is broken. */
const certificatesIn = (text: string): readonly X509Certificate[] | undefined => {
  try {
    return (text.match(BLOCK) ?? []).map((block) => new X509Certificate(block));
  } catch {
    return undefined;
  }
};

const privateKey = (key: string, passphrase: string | undefined) => {
  try {
    return createPrivateKey({ key, ...(passphrase !== undefined && { passphrase }) });
  } catch {
    return undefined;
  }
};

const notAfterOf = ({ validTo }: X509Certificate): number => Date.parse(validTo);

const warningsOf = (name: string, leaf: X509Certificate, now: number): readonly string[] => {
  const { validFrom, validTo } = leaf;
  const left = notAfterOf(leaf) - now;
  if (left <= 0) return [`${name}.cert has expired (on ${validTo}): clients refuse it`];
  if (left <= SOON_MS) return [`${name}.cert expires in ${Math.floor(left / DAY)} days (on ${validTo})`];
  return Date.parse(validFrom) > now
    ? [`${name}.cert is not valid before ${validFrom}: clients refuse it until then`]
    : [];
};

/** Reads and checks the PEM files of `server.tls` and `admin.tls`. Only the main process does it, so that all workers have the same pair. */
import { createPrivateKey, hkdfSync, randomBytes, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import type { Settings } from "../config/schema/schema.ts";
import { type PemFiles, tlsOptionsOf } from "../http/tls/secure-context.ts";
import { certificatesIn } from "../lib/pem.ts";

/** The PEM texts of the ports with TLS. Plain data, which goes to the workers beside the settings. */
export interface TlsFiles {
  readonly public?: PemFiles;
  readonly admin?: PemFiles;
}

export interface ReadTls {
  /** The PEM texts to serve with. Of a port with a fault, `keptKeys` have their values in use, if there are any. */
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
  const { faults } = reader;
  const { leaf, pem } = readFiles(reader, tls);
  if (leaf !== undefined) reader.checkExpiry(leaf, circumstances);
  if (!keptKeys(name, faults, pem).includes("cert"))
    reader.checkUse("cert", tlsOptionsOf({ ...pem, ca: undefined }));
  if (pem.ca !== undefined) reader.checkUse("ca", { ca: pem.ca });
  if (faults.length === 0) return { pem, faults, warnings: leaf ? warningsOf(name, leaf, now) : [] };
  if (inUse === undefined) return { pem: undefined, faults, warnings: [] };
  const kept = keptKeys(name, faults, inUse);
  return {
    pem: keep(kept.includes("cert") ? [...kept, "ticketKeys"] : kept, pem, inUse),
    faults,
    warnings: [],
  };
};

const PAIR_KEYS = ["cert", "key", "keyPassphrase"] as const;

type KeptKey = (typeof PAIR_KEYS)[number] | "ca" | "clientAuth";

/**
 * The settings of a port that keep their value in use because of these faults: the certificate pair, or the CA. Without a CA in
 * use the port goes on without client certificates.
 */
export const keptKeys = (
  name: string,
  faults: readonly string[],
  inUse: { readonly ca?: string | undefined },
): readonly KeptKey[] => {
  const isFaulty = (key: string): boolean => faults.some((fault) => fault.startsWith(`${name}.${key}`));
  return [
    ...(PAIR_KEYS.some(isFaulty) ? PAIR_KEYS : []),
    ...(isFaulty("ca")
      ? (["ca", ...(inUse.ca === undefined ? (["clientAuth"] as const) : [])] as const)
      : []),
  ];
};

/** `next` with the values in use of these keys. */
export const keep = <T extends object>(keys: readonly string[], next: T, inUse: T): T => ({
  ...next,
  ...Object.fromEntries(keys.map((key) => [key, inUse[key as keyof T]])),
});

interface ReadFiles {
  /** Complete if the reader has no faults. */
  readonly pem: PemFiles;
  /** The certificate of the port. */
  readonly leaf: X509Certificate | undefined;
}

const readFiles = (reader: Reader, tls: TlsSettings): ReadFiles => {
  const cert = reader.certificates("cert", tls.cert);
  const key = reader.read("key", tls.key);
  const ca = tls.ca === undefined ? undefined : reader.certificates("ca", tls.ca);
  if (key !== undefined) reader.checkKey(key, cert);
  const { keyPassphrase, clientAuth, minVersion } = tls;
  const texts = { cert: cert?.text ?? "", key: key ?? "", ca: ca?.text };
  const pem = { ...texts, keyPassphrase, clientAuth, minVersion, ticketKeys: ticketKeysFor(texts.cert) };
  return { pem, leaf: cert?.parsed[0] };
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
      if (typeof parsed !== "string") return { text, parsed };
      refuse(setting, `got ${quoted(path)}, ${parsed}`);
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
    checkUse: (setting: "cert" | "ca", options: SecureContextOptions): void => {
      try {
        createSecureContext(options);
      } catch (error) {
        const { reason, message } = error as Error & { readonly reason?: string };
        refuse(setting, `got ${quoted(tls[setting] ?? "")}, which TLS cannot use (${reason ?? message})`);
      }
    },
  };
};

const quoted = (path: string): string => JSON.stringify(path);

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

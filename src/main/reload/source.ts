/** Reads the settings again and compares them with those in use. */
import { applicableOf } from "../../config/restart.ts";
import { changesOf } from "../../config/changes.ts";
import { loadSettings, type LoadOptions } from "../../config/load.ts";
import type { Settings } from "../../config/schema/schema.ts";
import type { TlsFiles } from "../../app/read-tls.ts";
import type { Digests } from "../../lib/file-watch/file-watch.ts";

/** What the workers serve with. */
export interface InUse {
  readonly settings: Settings;
  /** The result of `comparable` for these settings. */
  readonly compared: unknown;
  readonly tls: TlsFiles;
}

export type Reading =
  | { readonly status: "refused"; readonly faults: readonly string[]; readonly files: Digests }
  | {
      readonly status: "read";
      /** Settings that need a restart have the value in use. */
      readonly next: InUse;
      /** Empty: there is nothing to apply. */
      readonly changed: readonly string[];
      readonly needsRestart: readonly string[];
      /** Faults of the certificates of ports, which keep the pair in use. */
      readonly certificateFaults: readonly string[];
      readonly files: Digests;
    };

/** The certificates of the ports. Faults begin with the path of a port's settings. */
export interface CertificateReading {
  readonly files: TlsFiles;
  readonly faults: readonly string[];
}

export interface SourceOptions extends LoadOptions {
  /** Checks settings by using them. */
  readonly faultsInUse: (settings: Settings) => Promise<readonly string[]>;
  /** `inUse` has the pairs that the ports have now. */
  readonly readCertificates: (settings: Settings, inUse: TlsFiles) => CertificateReading;
}

const PORTS = { public: "server", admin: "admin" } as const;

type Port = keyof typeof PORTS;

const partOf = (tree: unknown, section: string): Record<string, unknown> =>
  (tree as Record<string, Record<string, unknown>>)[section] ?? {};

/** The tree with the `tls` in use of these ports. */
const withTlsOf = <T>(ports: readonly Port[], next: T, inUse: T): T =>
  ports.reduce<T>((tree, port) => {
    const section = PORTS[port];
    return { ...tree, [section]: { ...partOf(tree, section), tls: partOf(inUse, section)["tls"] } };
  }, next);

/** Puts back the pair in use of each port whose new certificate has a fault. */
const withCertificates = (next: Omit<InUse, "tls">, found: CertificateReading, inUse: InUse): InUse => {
  const ports = (Object.keys(PORTS) as Port[]).filter((port) =>
    found.faults.some((fault) => fault.startsWith(`${PORTS[port]}.`)),
  );
  const kept = Object.fromEntries(
    ports.map((port) => [port, (inUse.tls as Record<string, unknown>)[port]] as const),
  );
  return {
    settings: withTlsOf(ports, next.settings, inUse.settings),
    compared: withTlsOf(ports, next.compared, inUse.compared),
    tls: { ...found.files, ...kept },
  };
};

/** Certificates have a check of their own, because their faults hold nothing else up. */
const withoutCertificates = (settings: Settings): Settings =>
  withTlsOf(["public", "admin"], settings, { server: {}, admin: {} } as unknown as Settings);

/** A file that can't be read is a fault of both reads. */
const distinct = (faults: readonly string[]): readonly string[] => [...new Set(faults)];

/** Reads the settings as the start does, with the same faults. Makes no connections. */
export const createSource =
  ({ faultsInUse, readCertificates, ...options }: SourceOptions) =>
  async (inUse: InUse): Promise<Reading> => {
    const loaded = loadSettings({ ...options, certificatesApart: true });
    if (loaded.status === "refused") return loaded;
    const { files } = loaded;
    const found = readCertificates(loaded.settings, inUse.tls);
    const certificates = { ...found, faults: distinct([...loaded.certificateFaults, ...found.faults]) };
    const read = withCertificates(loaded, certificates, inUse);
    const { changed, needsRestart, keep } = applicableOf(changesOf(inUse.compared, read.compared));
    const next: InUse = {
      settings: keep(read.settings, inUse.settings),
      compared: keep(read.compared, inUse.compared),
      tls: read.tls,
    };
    const faults = changed.length === 0 ? [] : await faultsInUse(withoutCertificates(next.settings));
    if (faults.length > 0) return { status: "refused", faults: [...faults, ...certificates.faults], files };
    return { status: "read", next, changed, needsRestart, certificateFaults: certificates.faults, files };
  };

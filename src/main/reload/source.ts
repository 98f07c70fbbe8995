/** Reads the settings again and compares them with those in use. */
import { applicableOf } from "../../config/restart.ts";
import { changesOf } from "../../config/changes.ts";
import { loadSettings, type LoadOptions } from "../../config/load.ts";
import type { Settings } from "../../config/schema/schema.ts";
import { keep, keptKeys, type TlsFiles } from "../../app/read-tls.ts";
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
      /** Faults of files whose settings keep the value in use: certificates of ports, and settings that need a restart. */
      readonly keptFaults: readonly string[];
      readonly files: Digests;
    };

/** The PEM files of the ports, as `readTls` returns them. Faults begin with the path of a setting. */
export interface CertificateReading {
  readonly files: TlsFiles;
  readonly faults: readonly string[];
}

export interface SourceOptions extends LoadOptions {
  /** Checks settings by using them. Compiles only the schemas of the changed stations. */
  readonly faultsInUse: (
    settings: Settings,
    options: { readonly changedStations: ReadonlySet<string> },
  ) => Promise<readonly string[]>;
  /** `inUse` has the pairs that the ports have now. */
  readonly readCertificates: (settings: Settings, inUse: TlsFiles) => CertificateReading;
}

const SECTIONS = { public: "server", admin: "admin" } as const;

type Port = keyof typeof SECTIONS;

const PORTS = ["public", "admin"] as const satisfies Port[];

const partOf = (tree: unknown, section: string): Record<string, unknown> =>
  (tree as Record<string, Record<string, unknown>>)[section] ?? {};

/** The tree with another `tls` of each port that has one. `inUse` is the tree in use. */
const mapTls = <T>(
  next: T,
  inUse: T,
  change: (port: Port, next: object, inUse: object | undefined) => unknown,
): T =>
  PORTS.reduce<T>((tree, port) => {
    const section = SECTIONS[port];
    const [own, old] = [next, inUse].map((one) => partOf(one, section)["tls"] as object | undefined);
    return own === undefined
      ? tree
      : { ...tree, [section]: { ...partOf(tree, section), tls: change(port, own, old) } };
  }, next);

/** The settings with the values in use of the certificate pair, or of the CA, that has a fault. */
const withUsableTls = (
  next: Pick<InUse, "settings" | "compared">,
  faults: readonly string[],
  inUse: InUse,
): Pick<InUse, "settings" | "compared"> => {
  const usable = <T>(tree: T, old: T): T =>
    mapTls(tree, old, (port, tls, tlsInUse) =>
      tlsInUse ? keep(keptKeys(`${SECTIONS[port]}.tls`, faults, tlsInUse), tls, tlsInUse) : tls,
    );
  return {
    settings: usable(next.settings, inUse.settings),
    compared: usable(next.compared, inUse.compared),
  };
};

/** TLS is turned on and off by a restart only: a port keeps its pair, or has none. */
const tlsOf = (settings: Settings, found: TlsFiles, inUse: TlsFiles): TlsFiles =>
  Object.fromEntries(
    PORTS.filter((port) => partOf(settings, SECTIONS[port])["tls"] !== undefined).map((port) => [
      port,
      found[port] ?? inUse[port],
    ]),
  );

/** Certificates have a check of their own, because their faults hold nothing else up. */
const withoutCertificates = (settings: Settings): Settings => mapTls(settings, settings, () => undefined);

/** Without the files of settings that need a restart: nothing reads them before it, and they may be half-written. */
const withoutRestart = (settings: Settings): Settings => {
  const { broker } = settings;
  return { ...settings, broker: { ...broker, kafka: { ...broker.kafka, ssl: false } } };
};

/** By name: the text of a station in the result of `comparable`, which has the digests of its files. */
const stationTexts = ({ compared }: Pick<InUse, "compared">): ReadonlyMap<string, string> => {
  const { stations } = compared as Pick<Settings, "stations">;
  return new Map(stations.map((station) => [station.name, JSON.stringify(station)]));
};

/** The schemas of the other stations are in use, so they have passed the check, which takes milliseconds for each schema. */
const changedStationsOf = (next: Pick<InUse, "compared">, inUse: InUse): ReadonlySet<string> => {
  const known = stationTexts(inUse);
  const changed = [...stationTexts(next)].filter(([name, text]) => text !== known.get(name));
  return new Set(changed.map(([name]) => name));
};

/** A file that can't be read is a fault of both reads. */
const distinct = (faults: readonly string[]): readonly string[] => [...new Set(faults)];

/**
 * Reads the settings as the start does. Its faults are lines of the start, without those of unchanged schemas, and of the contents
 * of files that are read only at a restart. Makes no connections.
 */
export const createSource =
  ({ faultsInUse, readCertificates, ...options }: SourceOptions) =>
  async (inUse: InUse, { dryRun }: { readonly dryRun: boolean }): Promise<Reading> => {
    const loaded = loadSettings({ ...options, inUse: inUse.settings });
    if (loaded.status === "refused") return loaded;
    const { files, restartFaults } = loaded;
    const found = readCertificates(loaded.settings, inUse.tls);
    const certificateFaults = distinct([...loaded.certificateFaults, ...found.faults]);
    const read = withUsableTls(loaded, certificateFaults, inUse);
    const changes = changesOf(inUse.compared, read.compared);
    const { changed, needsRestart, keep: keepInUse } = applicableOf(changes, inUse.compared);
    const settings = keepInUse(read.settings, inUse.settings);
    const next: InUse = {
      settings,
      compared: keepInUse(read.compared, inUse.compared),
      tls: tlsOf(settings, found.files, inUse.tls),
    };
    const check = (given: Pick<InUse, "settings" | "compared">) =>
      faultsInUse(withoutCertificates(given.settings), { changedStations: changedStationsOf(given, inUse) });
    const ofChanges = changed.length > 0 ? await check({ ...next, settings: withoutRestart(settings) }) : [];
    // The next start has all the settings.
    const isWhole = dryRun && needsRestart.length > 0 && restartFaults.length === 0;
    const faults = distinct([...ofChanges, ...(isWhole ? await check(read) : [])]);
    const keptFaults = [...restartFaults, ...certificateFaults];
    if (faults.length > 0) return { status: "refused", faults: [...faults, ...keptFaults], files };
    return { status: "read", next, changed, needsRestart, keptFaults, files };
  };

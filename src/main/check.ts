/** What a check of the settings is. The start, `--check-config` and `stationgate check-config` all use it. */
import { availableParallelism } from "node:os";
import { readTls, type ReadTls } from "../app/read-tls.ts";
import { workerCount } from "../cluster/supervisor.ts";
import { type LoadedSettings, type LoadOptions, loadSettings } from "../config/load.ts";
import type { Settings } from "../config/schema/schema.ts";
import { slowSchemas } from "../ingest/schema/json-schema/slow-schemas.ts";

export interface SettingsCheck {
  /** One line for each reason why a gateway does not start with these settings. A line never contains a secret. */
  readonly faults: readonly string[];
  readonly warnings: readonly string[];
}

/** Loads the settings and all files that they name. Makes no connections and writes nothing. */
export const checkSettings = async (source: LoadOptions): Promise<SettingsCheck> => {
  const loaded = loadSettings(source);
  if (loaded.status === "refused") return { faults: loaded.faults, warnings: [] };
  const tls = readTls(loaded.settings);
  return { faults: await faultsOf(loaded.settings, tls), warnings: await warningsOf(loaded, tls) };
};

/** Imports the checks only when they are needed: they load the whole gateway, which a supervisor does not need. */
export const faultsOf = async (settings: Settings, tls: ReadTls): Promise<readonly string[]> => {
  const { faultsInUse } = await import("../app/settings-check.ts");
  return [...tls.faults, ...(await faultsInUse(settings))];
};

export const warningsOf = async (
  { settings, warnings }: Pick<LoadedSettings, "settings" | "warnings">,
  tls: ReadTls,
): Promise<readonly string[]> => {
  const ofWorkers = workerCount(settings, availableParallelism()).warning;
  return [
    ...warnings,
    ...tls.warnings,
    ...(settings.roles.includes("ingest") ? await slowSchemas(settings.stations) : []),
    ...(ofWorkers === undefined ? [] : [ofWorkers]),
  ];
};

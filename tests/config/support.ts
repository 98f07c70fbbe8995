import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadSettings, type LoadedSettings } from "../../src/config/load.ts";
import type { Settings } from "../../src/config/schema/schema.ts";

const root = mkdtempSync(join(tmpdir(), "stationgate-config-"));

afterAll(() => {
  rmSync(root, { recursive: true });
});

export const folder = (): string => mkdtempSync(join(root, "folder-"));

export interface Given {
  /** Text of the settings file. Absent: there is no settings file. */
  readonly yaml?: string;
  readonly env?: Record<string, string>;
  readonly files?: Record<string, string>;
  readonly cwd?: string;
}

/** Loads settings in a temporary directory. */
export const load = ({ yaml, env = {}, files = {}, cwd = folder() }: Given) => {
  const dir = folder();
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  if (yaml !== undefined) writeFileSync(join(dir, "stationgate.yaml"), yaml);
  const configFile = yaml === undefined ? undefined : join(dir, "stationgate.yaml");
  return { dir, cwd, result: loadSettings({ configFile, env, cwd }) };
};

export const loaded = (given: Given): LoadedSettings => {
  const { result } = load(given);
  if (result.status === "refused") throw new Error(result.faults.join("\n"));
  return result;
};

export const settingsOf = (given: Given): Settings => loaded(given).settings;

export const faultsOf = (given: Given): readonly string[] => {
  const { result } = load(given);
  return result.status === "refused" ? result.faults : [];
};

/** Loads the settings from a file and the environment, or returns all their faults. */
import { basename, dirname, resolve } from "node:path";
import { comparable, patternOf } from "./changes.ts";
import { crossFaults, warningsOf, type ValidSections } from "./checks.ts";
import { configFileOf, readEnvironment, type Environment } from "./environment.ts";
import { anchorPlatformFile, joined, writtenSecrets } from "./event-service-sources.ts";
import { faultsOf, isReported, pathText, withoutUnknown, type Fault } from "./faults.ts";
import {
  createFileReader,
  type FileReader,
  readSecretFiles,
  readSettingsFile,
  resolvePaths,
  unreadableFiles,
} from "./files.ts";
import type { Digests } from "../lib/file-watch/file-watch.ts";
import { withSessionSecret } from "./identity.ts";
import { decisionOf } from "./restart.ts";
import { settingsSchema, type Settings } from "./schema/schema.ts";
import { isObject, overlay, replaced, settingAt, type Path } from "./tree.ts";

export interface LoadOptions {
  /** The --config argument. Default: STATIONGATE_CONFIG. */
  readonly configFile?: string | undefined;
  readonly env: Environment;
  /** Base of relative paths in the environment and in the defaults. */
  readonly cwd: string;
  /** For sessions of operators, if the settings have no secret that seals them. */
  readonly ownSecret?: string | undefined;
  /**
   * The settings in use, for a reload. Faults of certificate files, and unreadable files of settings that need a restart, then
   * refuse nothing: they are in lists of their own.
   */
  readonly inUse?: Settings;
}

export interface LoadedSettings {
  readonly status: "loaded";
  readonly settings: Settings;
  /**
   * true: there are no settings file, no accounts and no token secrets. The start then generates an identity
   * (`loadOrCreateIdentity`), so that a client can sign in.
   */
  readonly laptop: boolean;
  readonly hasFile: boolean;
  readonly warnings: readonly string[];
  /** The settings file and all files that the settings name. */
  readonly files: Digests;
  /** For `changesOf`. */
  readonly compared: unknown;
  /** Empty without `inUse`. */
  readonly certificateFaults: readonly string[];
  /** Unreadable files of settings that need a restart. Their secrets have the value in use. Empty without `inUse`. */
  readonly restartFaults: readonly string[];
}

export interface RefusedSettings {
  readonly status: "refused";
  /** One line for each fault. A line never contains a secret. */
  readonly faults: readonly string[];
  /** The settings file and the files that were named where the settings could be read. */
  readonly files: Digests;
}

interface Judgement {
  /** Complete only if there are no faults. */
  readonly settings: Settings | undefined;
  readonly faults: readonly Fault[];
}

const validSections = (tree: unknown, reported: readonly Fault[]): ValidSections => {
  const sections = Object.entries(settingsSchema.shape).flatMap(([name, schema]) => {
    const parsed = schema.safeParse(isObject(tree) ? tree[name] : undefined);
    const isWhole = !reported.some(({ path }) => path.length === 1 && path[0] === name);
    return parsed.success && isWhole ? [[name, parsed.data] as const] : [];
  });
  return Object.fromEntries(sections);
};

/**
 * Parses the tree, removes the invalid values and parses again until there are no new faults. So the fault of one key
 * doesn't hide faults of rules about other keys. A rule that fails only because a value was removed is not reported: its
 * path has a fault already.
 */
const judge = (tree: unknown, reported: readonly Fault[]): Judgement => {
  const parsed = settingsSchema.safeParse(tree);
  const isNew = ({ path }: Fault): boolean => !isReported(path, reported);
  const fresh = parsed.success ? [] : faultsOf(settingsSchema, tree, parsed.error).filter(isNew);
  if (fresh.length > 0) {
    const pruned = fresh.reduce((rest, { path }) => replaced(rest, path, undefined), tree);
    return judge(pruned, [...reported, ...fresh]);
  }
  const crossed = crossFaults(validSections(tree, reported)).filter(isNew);
  return { settings: parsed.data, faults: [...reported, ...crossed] };
};

interface Gathered {
  readonly tree: unknown;
  readonly faults: readonly Fault[];
  readonly origins: ReadonlyMap<string, string>;
}

/** Merges the file and the environment into one tree, reads the secret files and makes paths absolute. */
const gather = (
  configFile: string | undefined,
  { env, cwd }: Pick<LoadOptions, "env" | "cwd">,
  reader: FileReader,
): Gathered => {
  const file = configFile === undefined ? undefined : resolve(cwd, configFile);
  const base = file === undefined ? cwd : dirname(file);
  const { origins, ...named } = readEnvironment(env);
  const written =
    file === undefined ? { tree: {}, faults: [] } : readSettingsFile(file, basename(file), reader);
  // Without the file, rules about several keys would report faults that the file may not have.
  if (written.faults.length > 0) return { tree: {}, faults: [...written.faults, ...named.faults], origins };
  const below = readSecretFiles(written.tree, base, reader);
  const above = readSecretFiles(named.tree, cwd, reader);
  const given = [
    { tree: below.tree, base },
    { tree: above.tree, base: cwd },
  ];
  const anchor = anchorPlatformFile(given, reader);
  const beneath = readSecretFiles(anchor.tree, anchor.base, reader);
  const whole = joined(
    [{ tree: beneath.tree, base: anchor.base }, ...given].map((source) => ({
      ...source,
      tree: resolvePaths(source.tree, source.base),
    })),
    reader,
  );
  return {
    tree: overlay({ autoCreateStations: file === undefined }, whole.tree),
    faults: [
      ...[named, anchor, beneath, below, above, whole].flatMap(({ faults }) => faults),
      ...[anchor.tree, written.tree].flatMap(writtenSecrets),
    ],
    origins,
  };
};

/** The line of a fault. It names the environment variable if the value comes from there. */
const lineOf = ({ path, text }: Fault, origins: ReadonlyMap<string, string>): string => {
  const above = path.map((_, index): Path => path.slice(0, path.length - index));
  const variable = above.map((place) => origins.get(place.join("."))).find(Boolean);
  const name = variable === undefined ? pathText(path) : `${pathText(path)} (${variable})`;
  return `${name}: ${text}`;
};

/** Is this the fault of a file that a listener's `tls` names? */
const isOfCertificate = ({ path: [section, key] }: Fault): boolean =>
  (section === "server" || section === "admin") && key === "tls";

const isOfRestart = ({ path }: Fault): boolean => {
  const steps = path.map((step) => ({ name: String(step), isElement: typeof step === "number" }));
  return decisionOf(patternOf(steps)) === "restart";
};

/** Adds the secret in use at the path. If no secret is in use, the setting needs a restart anyway, so its group is left out. */
const withSecretInUse = (tree: unknown, path: Path, inUse: Settings | undefined): unknown => {
  if (settingAt(settingsSchema, tree, path).value !== undefined) return tree;
  const secret = settingAt(settingsSchema, inUse, path).value;
  return secret === undefined ? replaced(tree, path.slice(0, -1), undefined) : replaced(tree, path, secret);
};

/** The faults that refuse nothing else in a reload. */
const faultsApart = (faults: readonly Fault[], inUse: Settings | undefined) => {
  const ofReload = inUse === undefined ? [] : faults;
  const ofCertificates = ofReload.filter(isOfCertificate);
  const ofRestart = ofReload.filter(
    (fault) => fault.isUnreadable === true && !isOfCertificate(fault) && isOfRestart(fault),
  );
  return { ofCertificates, ofRestart, apart: new Set([...ofCertificates, ...ofRestart]) };
};

/** Loads the settings. The environment takes precedence over the file, and the file over defaults. Invalid settings don't throw. */
export const loadSettings = (options: LoadOptions): LoadedSettings | RefusedSettings => {
  const configFile = options.configFile ?? configFileOf(options.env);
  const reader = createFileReader();
  const gathered = gather(configFile, options, reader);
  const known = withoutUnknown(settingsSchema, gathered.tree);
  const unreadable = unreadableFiles(known.tree, reader);
  const ofFiles = [...gathered.faults, ...unreadable];
  const { inUse } = options;
  const { ofCertificates, ofRestart, apart } = faultsApart(ofFiles, inUse);
  const tree = ofRestart.reduce((whole, { path }) => withSecretInUse(whole, path, inUse), known.tree);
  const judged = judge(tree, [...ofFiles.filter((fault) => !apart.has(fault)), ...known.faults]);
  const linesOf = (faults: readonly Fault[]) => faults.map((fault) => lineOf(fault, gathered.origins));
  const files = reader.digests;
  if (judged.settings === undefined || judged.faults.length > 0)
    return { status: "refused", faults: linesOf([...judged.faults, ...apart]), files };
  // The parse adds defaults, and some of them are paths.
  const settings = resolvePaths(judged.settings, options.cwd) as Settings;
  const { accounts, accessToken, refreshToken } = settings.auth;
  const laptop =
    configFile === undefined &&
    accounts.length + accessToken.secrets.length + refreshToken.secrets.length === 0;
  return {
    status: "loaded",
    settings: options.ownSecret === undefined ? settings : withSessionSecret(settings, options.ownSecret),
    laptop,
    hasFile: configFile !== undefined,
    warnings: warningsOf(settings, laptop),
    files,
    compared: comparable(settings, reader),
    certificateFaults: linesOf(ofCertificates),
    restartFaults: linesOf(ofRestart),
  };
};

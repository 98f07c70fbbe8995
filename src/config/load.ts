/** From a file and the environment to settings, or to everything that is wrong with them. */
import { basename, dirname, resolve } from "node:path";
import { crossFaults, warningsOf, type SoundSections } from "./checks.ts";
import { configFileOf, readEnvironment, type Environment } from "./environment.ts";
import { anchorPlatformFile, joined, writtenSecrets } from "./event-service-sources.ts";
import { faultsOf, isTold, pathText, withoutUnknown, type Fault } from "./faults.ts";
import { readSecretFiles, readSettingsFile, resolvePaths, unreadableFiles } from "./files.ts";
import { settingsSchema, type Settings } from "./schema/schema.ts";
import { isObject, overlay, replaced, type Path } from "./tree.ts";

export interface LoadOptions {
  /** The --config argument; STATIONGATE_CONFIG stands in for it. */
  readonly configFile?: string | undefined;
  readonly env: Environment;
  /** Where relative paths from the environment and the defaults start. */
  readonly cwd: string;
}

export interface LoadedSettings {
  readonly status: "loaded";
  readonly settings: Settings;
  /**
   * No settings file, no accounts and no token secrets: the start makes an identity of its own
   * (`loadOrCreateIdentity`), without which nobody can sign in.
   */
  readonly laptop: boolean;
  readonly warnings: readonly string[];
}

export interface RefusedSettings {
  readonly status: "refused";
  /** One line for each fault; none holds a secret. */
  readonly faults: readonly string[];
}

interface Judgement {
  /** Sound only where there are no faults. */
  readonly settings: Settings | undefined;
  readonly faults: readonly Fault[];
}

const soundSections = (tree: unknown, told: readonly Fault[]): SoundSections => {
  const sections = Object.entries(settingsSchema.shape).flatMap(([name, schema]) => {
    const parsed = schema.safeParse(isObject(tree) ? tree[name] : undefined);
    const isWhole = !told.some(({ path }) => path.length === 1 && path[0] === name);
    return parsed.success && isWhole ? [[name, parsed.data] as const] : [];
  });
  return Object.fromEntries(sections);
};

/**
 * Parses, takes what is wrong away and parses again until nothing new shows: a fault of one key hides no rule over
 * others. A rule that fails only because of what was taken away stands at a place that is told already, and is not told twice.
 */
const judge = (tree: unknown, told: readonly Fault[]): Judgement => {
  const parsed = settingsSchema.safeParse(tree);
  const isNew = ({ path }: Fault): boolean => !isTold(path, told);
  const fresh = parsed.success ? [] : faultsOf(settingsSchema, tree, parsed.error).filter(isNew);
  if (fresh.length > 0) {
    const pruned = fresh.reduce((rest, { path }) => replaced(rest, path, undefined), tree);
    return judge(pruned, [...told, ...fresh]);
  }
  const crossed = crossFaults(soundSections(tree, told)).filter(isNew);
  return { settings: parsed.data, faults: [...told, ...crossed] };
};

interface Gathered {
  readonly tree: unknown;
  readonly faults: readonly Fault[];
  readonly origins: ReadonlyMap<string, string>;
}

/** One tree of what the file and the environment say, with secrets read and paths absolute. */
const gather = (configFile: string | undefined, env: Environment, cwd: string): Gathered => {
  const file = configFile === undefined ? undefined : resolve(cwd, configFile);
  const base = file === undefined ? cwd : dirname(file);
  const { origins, ...named } = readEnvironment(env);
  const written = file === undefined ? { tree: {}, faults: [] } : readSettingsFile(file, basename(file));
  // The environment alone would be judged by rules that the unread file may keep.
  if (written.faults.length > 0) return { tree: {}, faults: [...written.faults, ...named.faults], origins };
  const below = readSecretFiles(written.tree, base);
  const above = readSecretFiles(named.tree, cwd);
  const anchor = anchorPlatformFile([
    { tree: below.tree, base },
    { tree: above.tree, base: cwd },
  ]);
  const beneath = readSecretFiles(anchor.tree, anchor.base);
  const given = joined(
    [
      { tree: beneath.tree, base: anchor.base },
      { tree: below.tree, base },
      { tree: above.tree, base: cwd },
    ].map((source) => ({ ...source, tree: resolvePaths(source.tree, source.base) })),
  );
  return {
    tree: overlay({ autoCreateStations: file === undefined }, given.tree),
    faults: [
      ...[named, anchor, beneath, below, above, given].flatMap(({ faults }) => faults),
      ...[anchor.tree, written.tree].flatMap(writtenSecrets),
    ],
    origins,
  };
};

/** A fault as a line; where the environment gave the value, its variable is named. */
const lineOf = ({ path, text }: Fault, origins: ReadonlyMap<string, string>): string => {
  const above = path.map((_, index): Path => path.slice(0, path.length - index));
  const variable = above.map((place) => origins.get(place.join("."))).find(Boolean);
  const name = variable === undefined ? pathText(path) : `${pathText(path)} (${variable})`;
  return `${name}: ${text}`;
};

/** Reads the settings: defaults, over them the file, over it the environment. Never throws for what they hold. */
export const loadSettings = (options: LoadOptions): LoadedSettings | RefusedSettings => {
  const configFile = options.configFile ?? configFileOf(options.env);
  const gathered = gather(configFile, options.env, options.cwd);
  const known = withoutUnknown(settingsSchema, gathered.tree);
  const judged = judge(known.tree, [...gathered.faults, ...known.faults, ...unreadableFiles(known.tree)]);
  if (judged.settings === undefined || judged.faults.length > 0) {
    return { status: "refused", faults: judged.faults.map((fault) => lineOf(fault, gathered.origins)) };
  }
  // Defaults that are paths come in only with the parse.
  const settings = resolvePaths(judged.settings, options.cwd) as Settings;
  const { accounts, accessToken, refreshToken } = settings.auth;
  const laptop =
    configFile === undefined &&
    accounts.length + accessToken.secrets.length + refreshToken.secrets.length === 0;
  return { status: "loaded", settings, laptop, warnings: warningsOf(settings, laptop) };
};

/**
 * Levels of named loggers, which can change while the process runs. They have the names that Kafka Connect uses. A logger
 * without its own level has the level of its parent: `delivery` for `delivery.<connector>`, `root` for all others.
 */
export const LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL", "OFF"] as const;

export type Level = (typeof LEVELS)[number];

/** The names of the logger's methods; `silent` writes nothing. */
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

export interface LoggerState {
  readonly level: Level;
  /** Milliseconds since the epoch; null: the level was never set. */
  readonly last_modified: number | null;
}

export interface LogLevels {
  /** The built-in loggers, and the loggers whose level was set. */
  readonly names: readonly string[];
  of(logger: string): LoggerState;
  /** false: the name is too long, or too many loggers have their own level. */
  canSet(logger: string): boolean;
  /** Does nothing if `canSet` is false. */
  set(logger: string, level: Level, at: number): void;
  isEnabled(logger: string, level: LogLevel): boolean;
  /** The logger's level by pino's name. */
  nameOf(logger: string): LogLevel;
  /** Another level for all loggers without their own level. If it differs from the last one, a level of `root` ends. */
  rebase(level: LogLevel): void;
  onChange(listener: () => void): void;
}

const ROOT = "root";
const DELIVERY = "delivery";
const ALWAYS = [ROOT, DELIVERY, "http", "kafka"];

/** Maximum number of loggers with their own level. */
const MOST = 1000;
/** UTF-16 units; more than the longest connector name. */
const LONGEST_NAME = 300;

const NAMES: Readonly<Record<Level, LogLevel>> = {
  TRACE: "trace",
  DEBUG: "debug",
  INFO: "info",
  WARN: "warn",
  ERROR: "error",
  FATAL: "fatal",
  OFF: "silent",
};

const BY_NAME = new Map(LEVELS.map((level): [LogLevel, Level] => [NAMES[level], level]));
const RANKS = new Map(LEVELS.map((level, rank): [LogLevel, number] => [NAMES[level], rank]));

const ownerOf = (logger: string): string => (logger.startsWith(`${DELIVERY}.`) ? DELIVERY : ROOT);

export const createLogLevels = (initial: LogLevel): LogLevels => {
  const own = new Map<string, { level: Level; at: number }>();
  const listeners: (() => void)[] = [];
  let base = BY_NAME.get(initial) ?? "INFO";

  const levelOf = (logger: string): Level => {
    if (own.size === 0) return base;
    const found = own.get(logger)?.level;
    if (found !== undefined) return found;
    return logger === ROOT ? base : levelOf(ownerOf(logger));
  };

  const canSet = (logger: string): boolean =>
    logger.length <= LONGEST_NAME && (own.has(logger) || own.size < MOST);

  return {
    get names() {
      return [...new Set([...ALWAYS, ...own.keys()])];
    },
    of: (logger) => ({ level: levelOf(logger), last_modified: own.get(logger)?.at ?? null }),
    canSet,
    set: (logger, level, at) => {
      if (!canSet(logger)) return;
      own.set(logger, { level, at });
      for (const listener of listeners) listener();
    },
    isEnabled: (logger, level) => (RANKS.get(level) ?? 0) >= (RANKS.get(NAMES[levelOf(logger)]) ?? 0),
    nameOf: (logger) => NAMES[levelOf(logger)],
    rebase: (level) => {
      const next = BY_NAME.get(level) ?? "INFO";
      if (next === base) return;
      base = next;
      own.delete(ROOT);
      for (const listener of listeners) listener();
    },
    onChange: (listener) => {
      listeners.push(listener);
    },
  };
};

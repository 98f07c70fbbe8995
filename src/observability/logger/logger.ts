/** Logs as JSON lines on standard output. Lines are gathered briefly, and a slow reader doesn't block the process. */
import pino from "pino";
import { systemClock } from "../../lib/clock.ts";
import { createLogLevels, type LogLevel, type LogLevels } from "./levels.ts";
import { createLineSink } from "./line-sink.ts";
import { openOutlet } from "./outlet.ts";
import { createRequestLog, type RequestLevel, type RequestLog } from "./request-lines.ts";

export type Logger = Pick<pino.Logger, "trace" | "debug" | "info" | "warn" | "error" | "fatal">;

export type { LogLevel, LogLevels };

export interface Log {
  readonly logger: Logger;
  /** Writes the line of a request, with the fields of the logger `http` and less CPU time. */
  readonly requestLog: RequestLog;
  readonly levels: LogLevels;
  /** A logger whose level is `levels.of(name)`. */
  named(name: string): Logger;
  /** Writes all levels: the caller checks `levels` itself. */
  readonly unfiltered: Logger;
  /** Writes a line of the given members at every level. They need no mask. */
  readonly always: (members: Readonly<Record<string, unknown>>) => void;
  /** Resolves when the operating system has taken all lines, or after two seconds. */
  close(): Promise<void>;
  /** Writes synchronously as much as the system takes at once, for the process's end. */
  flushNow(): void;
}

export interface LogOptions {
  readonly level: LogLevel;
  /** A file descriptor or a file's path. Default: standard output. */
  readonly destination?: number | string;
  /** Number of this worker process; a field of each line. */
  readonly worker?: number;
}

/** Top-level fields that are masked. The redaction of pino copies the fields of each line first: 6 kB per request. */
const SECRETS = ["authorization", "cookie", "token", "secret", "password", "connectionToken", "key"];

const masked = (fields: Record<string, unknown>): Record<string, unknown> => {
  const present = SECRETS.filter((name) => name in fields);
  return present.length === 0
    ? fields
    : { ...fields, ...Object.fromEntries(present.map((name) => [name, "***"])) };
};

export const createLog = ({ level, destination = 1, worker }: LogOptions): Log => {
  const sink = createLineSink({
    outlet: openOutlet(destination),
    clock: systemClock,
    dropped: (lines) => {
      const fields = { level: "warn", time: Date.now(), worker, lines };
      return `${JSON.stringify({ ...fields, msg: "log lines were dropped: their reader was too slow" })}\n`;
    },
  });
  const logger = pino(
    {
      level,
      base: worker === undefined ? null : { worker },
      formatters: { level: (label) => ({ level: label }), log: masked },
      serializers: { err: pino.stdSerializers.errWithCause },
    },
    sink,
  );
  const levels = createLogLevels(level);
  const follow = (one: pino.Logger, name: string): pino.Logger => {
    levels.onChange(() => {
      one.level = levels.nameOf(name);
    });
    return one;
  };
  follow(logger, "root");
  const named = (name: string): pino.Logger => follow(logger.child({}, { level: levels.nameOf(name) }), name);
  const requests = named("http");
  const enabled = (at: RequestLevel): boolean => requests.isLevelEnabled(at);
  return {
    logger,
    levels,
    named,
    unfiltered: logger.child({}, { level: "trace" }),
    requestLog: createRequestLog({ sink, enabled, now: Date.now, worker }),
    always: ({ level: severity, time, ...members }) => {
      sink.write(`${JSON.stringify({ level: severity, time, worker, ...members })}\n`);
    },
    close: () => sink.close(),
    flushNow: () => {
      sink.flushNow();
    },
  };
};

/** Logs: JSON lines on standard output, written in the background and flushed by `close`. */
import pino from "pino";

export type Logger = Pick<pino.Logger, "trace" | "debug" | "info" | "warn" | "error" | "fatal">;

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

export interface Log {
  readonly logger: Logger;
  /** Resolves once every line so far has been handed to the operating system. */
  close(): Promise<void>;
}

export interface LogOptions {
  readonly level: LogLevel;
  /** A file descriptor or a file's path. Default: standard output. */
  readonly destination?: number | string;
  /** The number of this process among those that write to the same destination; a field of each line. */
  readonly worker?: number;
}

/** Masked where they are a line's own fields. pino's own redaction copies each line's fields first: 6 kB a request. */
const SECRETS = ["authorization", "cookie", "token", "secret", "password", "connectionToken", "key"];

const masked = (fields: Record<string, unknown>): Record<string, unknown> => {
  const present = SECRETS.filter((name) => name in fields);
  return present.length === 0
    ? fields
    : { ...fields, ...Object.fromEntries(present.map((name) => [name, "***"])) };
};

/** Lines are gathered until this many bytes, at most this many milliseconds, so that a request costs no write. */
const BUFFER_BYTES = 16_000;
const FLUSH_MS = 250;

/** What several processes write to one pipe stays in one piece up to 4096 bytes (`pipe(7)`). */
const SHARED = { minLength: 3500, maxWrite: 4096 };

export const createLog = ({ level, destination = 1, worker }: LogOptions): Log => {
  const stream = pino.destination({
    dest: destination,
    sync: false,
    minLength: BUFFER_BYTES,
    periodicFlush: FLUSH_MS,
    ...(worker === undefined ? {} : SHARED),
  });
  const logger = pino(
    {
      level,
      base: worker === undefined ? null : { worker },
      formatters: { level: (label) => ({ level: label }), log: masked },
      serializers: { err: pino.stdSerializers.errWithCause },
    },
    stream,
  );
  return { logger, close: () => flushed(stream) };
};

const flushed = async (stream: ReturnType<typeof pino.destination>): Promise<void> => {
  // First the write that is under way, so that nothing overtakes it, then what has gathered behind it.
  await new Promise((resolve) => {
    stream.flush(resolve);
  });
  try {
    stream.flushSync();
  } catch {
    // Standard output has gone: there is nobody left who could be told.
  }
};

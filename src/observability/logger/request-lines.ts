/**
 * Writes the log line of each request without a general serialiser, which would take a tenth of the request's CPU time.
 */
import type { LineSink } from "./line-sink.ts";

export type RequestLevel = "debug" | "info" | "warn" | "error";

/** Field names must not need JSON escapes. */
export type RequestFields = Readonly<Record<string, string | number | undefined>>;

/** Writes one line in the logger's format: fields in their order, without the undefined ones. */
export type RequestLog = (level: RequestLevel, fields: RequestFields) => void;

export interface RequestLogOptions {
  readonly sink: Pick<LineSink, "write">;
  /** Called for each line. */
  readonly enabled: (level: RequestLevel) => boolean;
  readonly now: () => number;
  readonly worker: number | undefined;
}

export const createRequestLog = ({ sink, enabled, now, worker }: RequestLogOptions): RequestLog => {
  const base = worker === undefined ? "" : `,"worker":${String(worker)}`;
  return (level, fields) => {
    if (!enabled(level)) return;
    sink.write(`{"level":"${level}","time":${String(now())}${base}${membersOf(fields)},"msg":"request"}\n`);
  };
};

const membersOf = (fields: RequestFields): string => {
  let members = "";
  for (const name in fields) {
    const value = fields[name];
    if (value === undefined) continue;
    members += `,"${name}":${typeof value === "string" ? quoted(value) : numeral(value)}`;
  }
  return members;
};

const numeral = (value: number): string => (Number.isFinite(value) ? String(value) : "null");

/** Printable ASCII without the quote and the backslash. */
const PLAIN = /^[ !#-[\]-~]*$/;

const quoted = (text: string): string => (PLAIN.test(text) ? `"${text}"` : JSON.stringify(text));

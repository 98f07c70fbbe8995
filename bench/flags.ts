/** The benchmark's command line. */
import { parseArgs } from "node:util";

export interface Flags {
  /** Names of rows; undefined: the default rows. */
  readonly rows: readonly string[] | undefined;
  readonly rounds: number;
  /** Seconds of load in one run. */
  readonly seconds: number;
  /** The build to measure, so that two builds can be compared. */
  readonly program: string;
  /** `broker.kafka.producer` of the gateway; undefined: the default. */
  readonly producer: string | undefined;
  /** `server.workers` of the gateway: a number or auto. */
  readonly workers: number | "auto";
  /** Folder for a V8 profile of each gateway process; undefined: none. */
  readonly profile: string | undefined;
}

const positive = (name: string, text: string): number => {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new RangeError(`--${name} takes a number above 0, not ${text}`);
};

export const parseFlags = (args: readonly string[]): Flags => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rows: { type: "string" },
      rounds: { type: "string", default: "3" },
      seconds: { type: "string", default: "8" },
      program: { type: "string", default: "dist/main.js" },
      producer: { type: "string" },
      workers: { type: "string", default: "auto" },
      profile: { type: "string" },
    },
  });
  return {
    rows: values.rows?.split(","),
    rounds: positive("rounds", values.rounds),
    seconds: positive("seconds", values.seconds),
    program: values.program,
    producer: values.producer,
    workers: values.workers === "auto" ? "auto" : positive("workers", values.workers),
    profile: values.profile,
  };
};

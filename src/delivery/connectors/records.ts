/** The values of the records in the connectors' topic. Unknown members are ignored, so that two versions can run together. */
import { z } from "zod";

export const TARGETS = ["RUNNING", "PAUSED", "STOPPED"] as const;

export const definitionSchema = z.object({
  /** The posted configuration, with secrets. null: the configuration is in the configuration file. */
  config: z.record(z.string(), z.string()).nullable(),
  target: z.enum(TARGETS),
  /** Grows with each change that restarts the task. */
  run: z.number(),
});

export const failureSchema = z.object({
  /** The failed run. The failure no longer counts for a later run. */
  run: z.number(),
  workerId: z.string(),
  trace: z.string(),
  /** Hash of the failed configuration. The failure no longer counts for another configuration. Absent in records of earlier releases. */
  config: z.string().optional(),
});

export type Target = (typeof TARGETS)[number];
export type Definition = Readonly<z.output<typeof definitionSchema>>;
export type Failure = Readonly<z.output<typeof failureSchema>>;

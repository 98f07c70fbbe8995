/** The records of the connectors' topic. Unknown fields are ignored, so that pods of two versions understand each other. */
import { z } from "zod";

export const TARGETS = ["RUNNING", "PAUSED", "STOPPED"] as const;

export const definitionSchema = z.object({
  /** As it was posted, secrets included; null: it is the configuration file's. */
  config: z.record(z.string(), z.string()).nullable(),
  target: z.enum(TARGETS),
  /** Grows with every change that starts the task afresh. */
  run: z.number(),
});

export const failureSchema = z.object({
  /** The run that failed: with a later one the failure is over. */
  run: z.number(),
  workerId: z.string(),
  trace: z.string(),
  /** Print of the configuration that failed: with another one the failure is over. Absent in records of earlier releases. */
  config: z.string().optional(),
});

export type Target = (typeof TARGETS)[number];
export type Definition = Readonly<z.output<typeof definitionSchema>>;
export type Failure = Readonly<z.output<typeof failureSchema>>;

/** How many processes serve. */
import type { Settings } from "../config/schema.ts";

export interface WorkerCount {
  readonly workers: number;
  /** Why it is not what the settings ask for. */
  readonly warning?: string;
}

/** `auto` is one per core. The embedded log is one process's: there it is 1, whatever was asked for. */
export const workerCount = ({ server, broker }: Settings, cores: number): WorkerCount => {
  const wanted = server.workers === "auto" ? cores : server.workers;
  if (broker.type !== "embedded" || wanted === 1) return { workers: wanted };
  return {
    workers: 1,
    warning: `server.workers is ${server.workers}, but the embedded log belongs to one process: one worker serves`,
  };
};

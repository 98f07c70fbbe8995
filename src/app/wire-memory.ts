/** The memory budget for client data, and the body readers that use it. */
import type { Settings } from "../config/schema/schema.ts";
import { bodyReaders, type BodyReaders } from "../http/middleware/body/body.ts";
import { createMemoryBudget, type MemoryBudget } from "../lib/memory-budget.ts";
import type { Metrics } from "../observability/metrics.ts";

interface ClientMemory {
  readonly memory: MemoryBudget;
  readonly readers: BodyReaders;
}

/** Call it once per process. */
export const openMemory = ({ limits }: Settings, metrics: Metrics): ClientMemory => {
  const memory = createMemoryBudget(limits.memory);
  metrics.clientMemoryFrom(() => memory.usedBytes);
  return { memory, readers: bodyReaders(memory) };
};

/** A worker's side of the channel to its supervisor. */
import { Server, Socket } from "node:net";
import type { GatherMetrics, Gateway } from "../app.ts";
import type { Settings } from "../config/schema.ts";
import { startFault } from "../app/start-fault.ts";
import type { MetricSamples } from "../observability/summed-metrics.ts";
import type { Slot, ToSupervisor, ToWorker } from "./messages.ts";

export interface Task {
  readonly slot: Slot;
  readonly settings: Settings;
  readonly gather: GatherMetrics;
}

interface Serving extends Pick<Gateway, "acceptFrom" | "take" | "stopAccepting" | "samples"> {
  /** Ends this process in order, within so many milliseconds. */
  stop(graceMs: number): void;
}

type Message<Type extends ToWorker["type"]> = Extract<ToWorker, { readonly type: Type }>;

/**
 * Asks the supervisor for work and does it; a fault of the start is told to the supervisor and ends this process.
 * Signals are the supervisor's: it alone knows when the last connection is handed over. When it is gone, node ends its
 * workers.
 */
export const work = (begin: (task: Task) => Promise<Serving>): void => {
  const questions = new Map<number, (all: readonly MetricSamples[]) => void>();
  let serving: Serving | undefined;
  let ids = 0;

  const gather = (): Promise<readonly MetricSamples[]> =>
    new Promise((resolve) => {
      const id = ++ids;
      questions.set(id, resolve);
      say({ type: "gather", id });
    });

  const start = async (task: Omit<Task, "gather">): Promise<void> => {
    try {
      serving = await begin({ ...task, gather });
      say({ type: "ready" });
    } catch (error) {
      const fault = startFault(error);
      if (fault === undefined) throw error;
      say({ type: "refused", message: fault.message }, () => process.exit(1));
    }
  };

  const sample = async (id: number): Promise<void> => {
    if (serving !== undefined) say({ type: "sampled", id, samples: await serving.samples() });
  };

  const take = ({ listener, id }: Message<"connection">, handle: unknown): void => {
    // A connection whose client has left on the way doesn't arrive.
    if (handle instanceof Socket) serving?.take(listener, handle);
    say({ type: "taken", listener, id });
  };

  const shut = async (): Promise<void> => {
    await serving?.stopAccepting();
    say({ type: "shut" });
  };

  process.on("message", (message: ToWorker, handle: unknown) => {
    switch (message.type) {
      case "begin":
        return void start(message);
      case "connection":
        take(message, handle);
        return;
      case "door":
        if (handle instanceof Server) serving?.acceptFrom(message.listener, handle);
        return;
      case "shut":
        return void shut();
      case "sample":
        return void sample(message.id);
      case "gathered":
        questions.get(message.id)?.(message.all);
        return void questions.delete(message.id);
      case "stop":
        if (serving === undefined) process.exit(0);
        serving.stop(message.graceMs);
    }
  });
  process.on("SIGTERM", () => {
    say({ type: "leaving" });
  });
  // A terminal sends it to all of its processes.
  process.on("SIGINT", () => undefined);
  say({ type: "born" });
};

const say = (message: ToSupervisor, said?: () => void): void => {
  process.send?.(message, undefined, undefined, said);
};

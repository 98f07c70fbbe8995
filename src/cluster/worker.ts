/** The worker's end of the channel to the supervisor. */
import { Server, Socket } from "node:net";
import type { Gateway } from "../app.ts";
import type { AskAll, Gathered, Question } from "../app/questions.ts";
import type { ReloadControl } from "../app/reload-control.ts";
import type { TlsFiles } from "../app/read-tls.ts";
import { startFault } from "../app/start-faults.ts";
import type { Settings } from "../config/schema/schema.ts";
import type { SpoolChannel } from "../spool/messages.ts";
import type { Slot, ToSupervisor, ToWorker } from "./messages.ts";
import { createSpoolChannel, isOfSpool, type SpoolMessage } from "./worker-spool-channel.ts";
import { createWorkerReloading, isOfReload, type ReloadMessage } from "./worker-reloading.ts";

export interface Task {
  readonly slot: Slot;
  readonly settings: Settings;
  readonly tls: TlsFiles;
  readonly askAll: AskAll;
  readonly reload: ReloadControl;
  readonly spoolChannel: SpoolChannel | undefined;
}

interface Serving extends Pick<
  Gateway,
  "acceptFrom" | "take" | "stopAccepting" | "answer" | "prepare" | "audit"
> {
  /** Ends this process within `graceMs` milliseconds. */
  stop(graceMs: number): void;
}

type OtherMessage = Exclude<ToWorker, ReloadMessage | SpoolMessage>;

type Message<Type extends ToWorker["type"]> = Extract<ToWorker, { readonly type: Type }>;

/**
 * Gets the settings from the supervisor and serves. A fault of the start is reported to the supervisor and ends this
 * process. Only the supervisor acts on signals, because only it knows when the last connection was passed on. If the
 * supervisor ends, node ends its workers.
 */
export const work = (begin: (task: Task) => Promise<Serving>): void => {
  const { askAll, onAnswers } = createAsking();
  const reloading = createWorkerReloading(say);
  const spool = createSpoolChannel(say);
  let serving: Serving | undefined;

  const start = async ({ status, ...task }: Message<"begin">): Promise<void> => {
    try {
      const { channel } = spool;
      serving = await begin({ ...task, askAll, reload: reloading.control(status), spoolChannel: channel });
      reloading.serve(serving);
      say({ type: "ready" });
    } catch (error) {
      const fault = startFault(error);
      if (fault === undefined) throw error;
      say({ type: "refused", message: fault.message }, () => process.exit(1));
    }
  };

  const answer = async ({ id, name, about }: Message<"ask">): Promise<void> => {
    // A failed answer counts as no answer.
    const own = await serving?.answer(name, about).catch(() => undefined);
    say({ type: "answer", id, name, answer: own });
  };

  const take = ({ listener, id }: Message<"connection">, handle: unknown): void => {
    // The handle is missing if the client closed the connection on the way.
    if (handle instanceof Socket) serving?.take(listener, handle);
    say({ type: "taken", listener, id });
  };

  const shut = async (): Promise<void> => {
    await serving?.stopAccepting();
    say({ type: "shut" });
  };

  const onMessage = (message: OtherMessage, handle: unknown): void => {
    switch (message.type) {
      case "begin":
        return void start(message);
      case "connection":
        take(message, handle);
        return;
      case "listener":
        if (handle instanceof Server) serving?.acceptFrom(message.listener, handle);
        return;
      case "shut":
        return void shut();
      case "ask":
        return void answer(message);
      case "answers":
        onAnswers(message);
        return;
      case "stop":
        if (serving === undefined) process.exit(0);
        serving.stop(message.graceMs);
    }
  };

  process.on("message", (message: ToWorker, handle: unknown) => {
    if (isOfReload(message)) reloading.onMessage(message);
    else if (isOfSpool(message)) spool.onMessage(message);
    else onMessage(message, handle);
  });
  leaveSignals();
  say({ type: "born" });
};

const leaveSignals = (): void => {
  process.on("SIGTERM", () => {
    say({ type: "leaving" });
  });
  // A terminal sends these signals to all processes of the group; the supervisor handles them.
  for (const signal of ["SIGINT", "SIGHUP"]) process.on(signal, () => undefined);
};

/** Questions to all workers, through the supervisor. */
const createAsking = () => {
  const waiting = new Map<number, (gathered: Gathered<unknown>) => void>();
  let ids = 0;
  const ask = (name: Question, about: string): Promise<Gathered<unknown>> =>
    new Promise((resolve) => {
      const id = ++ids;
      waiting.set(id, resolve);
      say({ type: "ask-all", id, name, about });
    });
  return {
    // Every worker runs the same program, so an answer has the type of its question.
    askAll: (async (name, about) => ask(name, about)) as AskAll,
    onAnswers: ({ id, gathered }: Message<"answers">): void => {
      waiting.get(id)?.(gathered);
      waiting.delete(id);
    },
  };
};

const say = (message: ToSupervisor, said?: () => void): void => {
  process.send?.(message, undefined, undefined, said);
};

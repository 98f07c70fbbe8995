/** The worker's end of the channel of the spool. */
import type { FromMain, SpoolChannel } from "../spool/messages.ts";
import type { ToSupervisor, ToWorker } from "./messages.ts";

export type SpoolMessage = Extract<ToWorker, { readonly type: "spool-begin" | "spool" }>;

export const isOfSpool = (message: ToWorker): message is SpoolMessage =>
  message.type === "spool" || message.type === "spool-begin";

interface WorkerSpoolChannel {
  /** undefined: there is no spool. */
  readonly channel: SpoolChannel | undefined;
  onMessage(message: SpoolMessage): void;
}

export const createSpoolChannel = (say: (message: ToSupervisor) => void): WorkerSpoolChannel => {
  const early: FromMain[] = [];
  let deliver = (message: FromMain): void => void early.push(message);
  let channel: SpoolChannel | undefined;
  return {
    get channel() {
      return channel;
    },
    onMessage: (message) => {
      if (message.type === "spool") {
        deliver(message.message);
        return;
      }
      const { folder, run } = message;
      channel = {
        ...{ folder, run },
        send: (sent) => {
          say({ type: "spool", message: sent });
        },
        listen: (listener) => {
          deliver = listener;
          for (const told of early.splice(0)) listener(told);
        },
      };
    },
  };
};

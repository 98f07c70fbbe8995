/**
 * A listening socket of the supervisor, who hands each connection to a worker, in turn. node:cluster's own way of
 * sharing a port loses connections at the end: one that is on its way to a worker when the last of them closes is reset.
 * Here the supervisor is the last to close, and what came in before stands in the workers' channels ahead of the word
 * to stop.
 *
 * The workers may accept at the same socket themselves. node hands over one connection at a time and waits for the worker
 * to have it, which a busy one does once in a turn of its loop: of 2,000 clients that came at once, the last were served
 * after 4 s.
 */
import type { Worker } from "node:cluster";
import { createServer, type AddressInfo, type Socket } from "node:net";
import type { ListenerName } from "../app/listeners.ts";
import { stopAccepting } from "../http/drain.ts";
import type { ToWorker } from "./messages.ts";

export interface SharedListener {
  readonly address: AddressInfo;
  /** Does the worker serve here? Then from now on it accepts here too. */
  share(worker: Worker): void;
  /** The worker that was handed this connection has it. */
  taken(id: number): void;
  /**
   * The worker is gone. The connections that waited for it go to others; one that was on its way to it is closed, because
   * it may have been read.
   */
  reclaim(worker: Worker): void;
  /** No connection comes in any more; resolves once all that did have been handed on. */
  close(): Promise<void>;
}

export interface SharedListenerOptions {
  readonly listener: ListenerName;
  readonly host: string;
  readonly port: number;
  /** Connections that the system holds until they are accepted. */
  readonly backlog: number;
  /** Who serves here now. While it is nobody, connections are closed. */
  readonly workers: () => readonly Worker[];
}

/** The longest time, in milliseconds, that workers get to accept before the supervisor does again. */
const LONGEST_PAUSE = 16;

interface Handed {
  readonly worker: Worker;
  readonly socket: Socket;
  /** The worker may have read it. */
  isOnItsWay: boolean;
}

/** Rejects as node does, when the address is taken. */
export const openSharedListener = async ({
  listener,
  host,
  port,
  backlog,
  workers,
}: SharedListenerOptions): Promise<SharedListener> => {
  const handed = new Map<number, Handed>();
  let turn = 0;

  const handOn = (socket: Socket): void => {
    const present = workers();
    const id = turn++;
    const worker = present[id % present.length];
    if (worker === undefined) {
      socket.destroy();
      return;
    }
    const one: Handed = { worker, socket, isOnItsWay: false };
    handed.set(id, one);
    const message: ToWorker = { type: "connection", listener, id };
    // Kept open: node forgets to close what was on its way to a process that ended, and its client would wait for ever.
    worker.process.send(message, socket, { keepOpen: true }, (error) => {
      one.isOnItsWay = true;
      if (error !== null) forget(id);
    });
  };

  const forget = (id: number): void => {
    handed.get(id)?.socket.destroy();
    handed.delete(id);
  };

  const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
    handOn(socket);
    if (handed.size > 0) leaveTheRest(handed.size);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen({ host, port, backlog }, resolve);
  });
  return {
    address: server.address() as AddressInfo,
    share: (worker) => {
      const message: ToWorker = { type: "door", listener };
      if (workers().includes(worker)) worker.process.send(message, server);
    },
    taken: forget,
    reclaim: (gone) => {
      for (const [id, { worker, socket, isOnItsWay }] of [...handed]) {
        if (worker !== gone) continue;
        if (isOnItsWay) forget(id);
        else {
          handed.delete(id);
          handOn(socket);
        }
      }
    },
    close: () => stopAccepting(server),
  };
};

const stillness = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));

/**
 * Leaves connections to the workers, the longer the more of them wait to be taken. node accepts until none is left, and
 * an idle supervisor would always be the first: nothing but its sleep stops it, and it has nothing else to do.
 */
const leaveTheRest = (waiting: number): void => {
  Atomics.wait(stillness, 0, 0, Math.min(2 ** (waiting - 1), LONGEST_PAUSE));
};

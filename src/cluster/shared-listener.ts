/**
 * A listening socket of the supervisor, which passes each connection to the next worker in turn. The port sharing of
 * node:cluster loses connections at shutdown: a connection that is on its way to a worker is reset when the last worker
 * closes the port. Here the supervisor closes the port last, so each accepted connection is in a worker's channel before
 * the message to stop.
 *
 * The workers also accept connections at the same socket. node passes one connection at a time and waits until the worker
 * has it, and a busy worker takes one per turn of its event loop: of 2,000 simultaneous clients, the last were served after
 * 4 s.
 */
import type { Worker } from "node:cluster";
import { createServer, type AddressInfo, type Socket } from "node:net";
import type { ListenerName } from "../app/listeners.ts";
import { stopAccepting } from "../http/drain.ts";
import type { ToWorker } from "./messages.ts";

export interface SharedListener {
  readonly address: AddressInfo;
  /** Lets the worker accept connections at this socket, if it is one of `workers`. */
  share(worker: Worker): void;
  /** The worker has received this connection. */
  taken(id: number): void;
  /**
   * Call it after a worker has ended. Connections that were not sent to the worker yet go to other workers. A connection
   * that was on its way is closed, because the worker may have read from it.
   */
  reclaim(worker: Worker): void;
  /** Stops accepting. Resolves when every accepted connection has been passed to a worker. */
  close(): Promise<void>;
}

export interface SharedListenerOptions {
  readonly listener: ListenerName;
  readonly host: string;
  readonly port: number;
  /** Maximum number of connections that the operating system queues until they are accepted. */
  readonly backlog: number;
  /** The workers that take connections now. Without any worker, new connections are closed. */
  readonly workers: () => readonly Worker[];
}

/** Milliseconds: maximum time that the supervisor leaves to the workers before it accepts again. */
const LONGEST_PAUSE = 16;

interface Handed {
  readonly worker: Worker;
  readonly socket: Socket;
  /** The connection was sent; the worker may have read from it. */
  isOnItsWay: boolean;
}

/** Rejects with node's error, for example if the address is in use. */
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
    // `keepOpen`: node does not close a connection that was on its way to a process that ended; its client would wait for ever.
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
    if (handed.size > 0) leaveToWorkers(handed.size);
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen({ host, port, backlog }, resolve);
  });
  return {
    address: server.address() as AddressInfo,
    share: (worker) => {
      const message: ToWorker = { type: "listener", listener };
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
 * Blocks this process so that the workers accept the next connections; the more connections wait for a worker, the longer.
 * node accepts until the queue is empty, and an idle supervisor would always be faster than busy workers. Only blocking
 * stops it, and the supervisor has no other work.
 */
const leaveToWorkers = (waiting: number): void => {
  Atomics.wait(stillness, 0, 0, Math.min(2 ** (waiting - 1), LONGEST_PAUSE));
};

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

/** Milliseconds: maximum time that the supervisor gives to the workers before it accepts again. */
const LONGEST_PAUSE = 16;

interface PassedOn {
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
  const passedOn = new Map<number, PassedOn>();
  let turn = 0;

  const passOn = (socket: Socket): void => {
    const present = workers();
    const id = turn++;
    const worker = present[id % present.length];
    if (worker === undefined) {
      socket.destroy();
      return;
    }
    const connection: PassedOn = { worker, socket, isOnItsWay: false };
    passedOn.set(id, connection);
    const message: ToWorker = { type: "connection", listener, id };
    // `keepOpen`: node does not close a connection that was on its way to a process that ended; its client would wait
    // for ever.
    worker.process.send(message, socket, { keepOpen: true }, (error) => {
      connection.isOnItsWay = true;
      if (error !== null) forget(id);
    });
  };

  const forget = (id: number): void => {
    passedOn.get(id)?.socket.destroy();
    passedOn.delete(id);
  };

  const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
    passOn(socket);
    if (passedOn.size > 0) letWorkersAccept(passedOn.size);
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
    reclaim: (ended) => {
      for (const [id, { worker, socket, isOnItsWay }] of [...passedOn]) {
        if (worker !== ended) continue;
        if (isOnItsWay) forget(id);
        else {
          passedOn.delete(id);
          passOn(socket);
        }
      }
    },
    close: () => stopAccepting(server),
  };
};

const neverNotified = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));

/**
 * Blocks this process so that the workers accept the next connections; the more connections wait for a worker, the
 * longer. node accepts until the queue is empty, and an idle supervisor would always be faster than busy workers. Only
 * blocking stops it, and the supervisor has no other work.
 */
const letWorkersAccept = (waiting: number): void => {
  Atomics.wait(neverNotified, 0, 0, Math.min(2 ** (waiting - 1), LONGEST_PAUSE));
};

/**
 * A listening socket of the supervisor, who hands each connection to a worker. node:cluster's own way of sharing a port
 * loses connections at the end: one that is on its way to a worker when the last of them closes is reset. Here the door
 * closes first, and what came in before stands in the workers' channels ahead of the word to stop.
 */
import type { Worker } from "node:cluster";
import { createServer, type AddressInfo } from "node:net";
import type { ListenerName } from "../app/listeners.ts";
import type { ToWorker } from "./messages.ts";

export interface Door {
  readonly address: AddressInfo;
  /** No connection comes in any more; resolves once all that did have been handed on. */
  close(): Promise<void>;
}

export interface DoorOptions {
  readonly listener: ListenerName;
  readonly host: string;
  readonly port: number;
  /** Connections that the system holds until they are accepted. */
  readonly backlog: number;
  /** Who gets the next connection; undefined: nobody is there, and the connection is closed. */
  readonly next: () => Worker | undefined;
}

/** Rejects as node does, when the address is taken. */
export const openDoor = async ({ listener, host, port, backlog, next }: DoorOptions): Promise<Door> => {
  const message: ToWorker = { type: "connection", listener };
  const server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
    const worker = next();
    if (worker === undefined) socket.destroy();
    else worker.process.send(message, socket, (error) => error && socket.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject).listen({ host, port, backlog }, resolve);
  });
  return {
    address: server.address() as AddressInfo,
    close: () =>
      new Promise((resolve) => {
        // After the event loop's poll phase, where connections are accepted: none is left half-way in the queue.
        setImmediate(() => {
          server.close();
          resolve();
        });
      }),
  };
};

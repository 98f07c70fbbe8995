/** The public and the operators' listener: their servers and their shutdown. */
import type { AddressInfo, Server, Socket } from "node:net";
import { fastPathFault } from "../http/fast-path/check.ts";
import { createHttpServer, type HttpServer } from "../http/server.ts";
import type { LastingContext } from "./context.ts";
import type { HttpApps } from "./http-apps.ts";
import type { TlsFiles } from "./read-tls.ts";
import { renewTls, serverTls } from "./wire-tls.ts";

export interface Listeners {
  /** Binds both listeners. Rejects with node's error, for example if an address is in use. */
  listen(): Promise<Addresses>;
  /** Accepts connections from a listening socket that is shared with other processes. */
  acceptFrom(listener: ListenerName, listening: Server): void;
  /** Serves a connection that another process accepted. */
  take(listener: ListenerName, socket: Socket): void;
  /** Stops accepting connections. Open connections get one more answer, and `take` still works. */
  stopAccepting(): Promise<void>;
  /** New connections use these pairs. Throws OpenSSL's error for a pair that can't be used. */
  readonly renewTls: (files: TlsFiles) => void;
}

export type ListenerName = "public" | "admin";

export interface Addresses {
  readonly public: AddressInfo;
  readonly admin: AddressInfo;
}

/** The address of the public listener. `listen` sets the bound port. */
export interface PublicAddress {
  readonly host: string;
  port: number;
}

/** Share of the grace period for the listeners. The rest is for the parts that the listeners use. */
const DRAIN_SHARE = 0.7;

const SLOW = "requests take more CPU time: this version of Node failed the check of the fast path";

/** `serve` gives the requests from now on to other apps. */
export const createListeners = (
  { inUse, lifecycle, log, memory, metrics }: LastingContext,
  apps: HttpApps,
  address: PublicAddress,
): Listeners & { readonly serve: (apps: HttpApps) => void } => {
  const { settings, tls } = inUse.now;
  const { server: limits, admin } = settings;
  const open = (name: ListenerName): HttpServer =>
    createHttpServer(apps[name], limits, memory, { tls: serverTls(name, tls, metrics) });
  const publicServer = open("public");
  const adminServer = open("admin");
  const servers = { public: publicServer, admin: adminServer };
  const fault = fastPathFault();
  if (fault !== undefined) log.logger.warn({ reason: fault }, SLOW);
  lifecycle.onClose("listeners", async () => {
    const graceMs = limits.shutdownGrace * DRAIN_SHARE;
    await Promise.all(Object.values(servers).map((server) => server.drain({ graceMs })));
  });
  return {
    renewTls: (files) => {
      renewTls(servers, files, metrics);
    },
    serve: (next) => {
      publicServer.serve(next.public);
      adminServer.serve(next.admin);
    },
    listen: async () => {
      const operators = await adminServer.listen(admin.port, admin.host);
      const bound = await publicServer.listen(address.port, address.host);
      address.port = bound.port;
      return { admin: operators, public: bound };
    },
    acceptFrom: (listener, listening) => {
      servers[listener].acceptFrom(listening);
    },
    take: (listener, socket) => {
      servers[listener].take(socket);
    },
    stopAccepting: async () => {
      await Promise.all(Object.values(servers).map((server) => server.stopAccepting()));
    },
  };
};

/** Turns errors of the start into errors that name the wrong setting. */
import type { Settings } from "../config/schema/schema.ts";
import { GatewayError } from "../errors.ts";
import { errnoOf } from "../lib/file-system.ts";

/**
 * The error to show the operator. A GatewayError stays as it is; an error of the operating system (a directory, a file, an
 * address) becomes SETTINGS_INVALID. undefined: the error is a bug, and should be printed with its stack.
 */
export const startFault = (error: unknown): GatewayError | undefined => {
  if (error instanceof GatewayError) return error;
  const { syscall, message } = (error ?? {}) as NodeJS.ErrnoException;
  if (syscall === undefined || errnoOf(error) === undefined) return undefined;
  return new GatewayError("SETTINGS_INVALID", { message: `The start failed: ${message}`, cause: error });
};

type Listener = Pick<Settings["server"], "host" | "port">;

/** The text of each known error of `listen`, by its code. */
const FAULTS: Readonly<Record<string, (listener: Listener) => string>> = {
  EADDRINUSE: ({ port }) => `port: got ${port}, but another process listens on this port`,
  EACCES: ({ port }) => `port: got ${port}, but this user may not listen on this port`,
  EADDRNOTAVAIL: ({ host }) =>
    `host: got ${JSON.stringify(host)}, but this machine does not have this address`,
  ENOTFOUND: ({ host }) => `host: got ${JSON.stringify(host)}, but this machine does not have this address`,
};

/** Converts a known error of `listen` to SETTINGS_INVALID with the setting's path. Returns other errors unchanged. */
export const bindFault = (error: unknown, { server, admin }: Pick<Settings, "server" | "admin">): unknown => {
  const { port, address, hostname } = error as Partial<Bound>;
  const isAdmin = port === undefined ? (address ?? hostname) === admin.host : port === admin.port;
  return isAdmin ? listenFault(error, "admin", admin) : listenFault(error, "server", server);
};

/** As `bindFault`, for the listener whose settings are at `path`. */
export const listenFault = (error: unknown, path: string, listener: Listener): unknown => {
  const fault = FAULTS[(error as NodeJS.ErrnoException).code ?? ""];
  if (fault === undefined) return error;
  return new GatewayError("SETTINGS_INVALID", { message: `${path}.${fault(listener)}`, cause: error });
};

/** The address in node's error. */
interface Bound {
  readonly port: number;
  readonly address: string;
  readonly hostname: string;
}

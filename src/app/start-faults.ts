import type { Settings } from "../config/schema/schema.ts";
import { GatewayError } from "../errors.ts";
import { errnoOf } from "../lib/file-system.ts";

/**
 * Why a start failed, where that is no fault of the program: SETTINGS_INVALID and its like as they are, and what the
 * system refuses (a folder, a file, an address) as a line that names it. undefined: a fault of the program, whose stack is
 * worth printing.
 */
export const startFault = (error: unknown): GatewayError | undefined => {
  if (error instanceof GatewayError) return error;
  const { syscall, message } = (error ?? {}) as NodeJS.ErrnoException;
  if (syscall === undefined || errnoOf(error) === undefined) return undefined;
  return new GatewayError("SETTINGS_INVALID", { message: `The start failed: ${message}`, cause: error });
};

/** A listener that can't be bound, told as a fault of the setting that asked for it. */

type Listener = Pick<Settings["server"], "host" | "port">;

const FAULTS: Readonly<Record<string, (listener: Listener) => string>> = {
  EADDRINUSE: ({ port }) => `port: got ${port}, where another process listens already`,
  EACCES: ({ port }) => `port: got ${port}, where this user may not listen`,
  EADDRNOTAVAIL: ({ host }) => `host: got ${JSON.stringify(host)}, which is no address of this machine`,
  ENOTFOUND: ({ host }) => `host: got ${JSON.stringify(host)}, which is no address of this machine`,
};

/** SETTINGS_INVALID with the setting's path for what node rejects a `listen` with; anything else as it is. */
export const bindFault = (error: unknown, { server, admin }: Pick<Settings, "server" | "admin">): unknown => {
  const { code = "", port, address, hostname } = error as NodeJS.ErrnoException & Partial<Bound>;
  const fault = FAULTS[code];
  if (fault === undefined) return error;
  const isAdmin = port === undefined ? (address ?? hostname) === admin.host : port === admin.port;
  const message = isAdmin ? `admin.${fault(admin)}` : `server.${fault(server)}`;
  return new GatewayError("SETTINGS_INVALID", { message, cause: error });
};

/** What node says of the address. */
interface Bound {
  readonly port: number;
  readonly address: string;
  readonly hostname: string;
}

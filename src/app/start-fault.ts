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

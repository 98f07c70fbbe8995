/** Writes log lines to a pipe, a terminal, a file or a socket without blocking the process. */
import fs from "node:fs";
import tty from "node:tty";
import { promisify } from "node:util";

export interface Outlet {
  /**
   * Writes bytes; returns or resolves to the number of written bytes. The caller must not change the bytes until then.
   * Fails with the system's error, for example EAGAIN if the reader is slow.
   */
  write(bytes: Buffer): number | Promise<number>;
  /** As `write`, but synchronous, for the process's end. */
  writeNow(bytes: Buffer): number;
  /** The destination is a terminal: lines should appear at once. */
  readonly terminal: boolean;
}

/** `destination`: a file descriptor, or the path of a file to append to. */
export const openOutlet = (destination: number | string): Outlet => {
  if (typeof destination === "string") return prompt(fs.openSync(destination, "a"));
  // With bigint, because a stat with numbers overwrites the buffer that Node's realpathSync reads for cached paths. If this
  // buffer describes a pipe, realpathSync returns a path with unresolved symbolic links, and modules are loaded twice.
  const kind = fs.fstatSync(destination, { bigint: true });
  if (kind.isFile()) return prompt(destination);
  if (kind.isSocket() && destination === process.stdout.fd) return throughStream(process.stdout);
  const reopens = kind.isFIFO() || kind.isCharacterDevice();
  const own = reopens ? openedAnew(destination) : undefined;
  return own === undefined ? inBackground(destination) : prompt(own);
};

/**
 * Opens the same pipe or terminal again, without blocking. The original open file is shared with other processes, such as
 * the shell, and must stay blocking for them. undefined: the system has no /proc, or doesn't allow it.
 */
const openedAnew = (fd: number): number | undefined => {
  const { O_WRONLY, O_NONBLOCK, O_APPEND, O_NOCTTY } = fs.constants;
  try {
    return fs.openSync(`/proc/self/fd/${String(fd)}`, O_WRONLY | O_NONBLOCK | O_APPEND | O_NOCTTY);
  } catch {
    return undefined;
  }
};

/** Writes synchronously to a destination that never blocks. A write by another thread takes ten times as long. */
const prompt = (fd: number): Outlet => {
  const write = (bytes: Buffer): number => fs.writeSync(fd, bytes);
  return { write, writeNow: write, terminal: tty.isatty(fd) };
};

/**
 * Writes to a socket through Node's stream, which polls the socket. systemd and Node's `stdio: "pipe"` create such sockets.
 * A socket can't be opened again, and a blocked thread would delay the process's exit.
 */
const throughStream = (stream: typeof process.stdout): Outlet => {
  stream.on("error", () => undefined);
  return {
    write: (bytes) =>
      new Promise((resolve) => {
        // A write fails only if the reader has closed the socket, so the error needs no handling.
        stream.write(bytes, () => {
          resolve(bytes.length);
        });
      }),
    writeNow: (bytes) => fs.writeSync(stream.fd, bytes),
    terminal: false,
  };
};

const writeInBackground = promisify(fs.write);

/** Writes by another thread to a destination that may block. */
const inBackground = (fd: number): Outlet => ({
  write: async (bytes) => (await writeInBackground(fd, bytes)).bytesWritten,
  writeNow: (bytes) => fs.writeSync(fd, bytes),
  terminal: tty.isatty(fd),
});

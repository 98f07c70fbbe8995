/** Where log lines leave the process: a pipe, a terminal, a file or a socket, none of which may hold the process up. */
import fs from "node:fs";
import tty from "node:tty";
import { promisify } from "node:util";

export interface Outlet {
  /**
   * Hands bytes to the system; resolves with how many it took. Fails as the system does: EAGAIN where the reader is
   * slow. The bytes are the caller's again when the answer is there.
   */
  write(bytes: Buffer): number | Promise<number>;
  /** The same at the process's end, when nothing can be waited for. */
  writeNow(bytes: Buffer): number;
  /** Somebody looks at each line as it comes. */
  readonly terminal: boolean;
}

/** A file descriptor, or the path of a file that is appended to. */
export const openOutlet = (destination: number | string): Outlet => {
  if (typeof destination === "string") return prompt(fs.openSync(destination, "a"));
  // As bigints: node's realpathSync judges paths that it knows by the last stat of numbers, and breaks off after a
  // pipe's. Modules behind a symbolic link would then be loaded twice.
  const kind = fs.fstatSync(destination, { bigint: true });
  if (kind.isFile()) return prompt(destination);
  if (kind.isSocket() && destination === process.stdout.fd) return throughStream(process.stdout);
  const reopens = kind.isFIFO() || kind.isCharacterDevice();
  const own = reopens ? openedAnew(destination) : undefined;
  return own === undefined ? inBackground(destination) : prompt(own);
};

/**
 * The same pipe or terminal by a description of our own, which doesn't block. Descriptions are shared with other
 * processes, such as the shell: theirs must go on blocking. undefined: the system has no /proc or doesn't allow it.
 */
const openedAnew = (fd: number): number | undefined => {
  const { O_WRONLY, O_NONBLOCK, O_APPEND, O_NOCTTY } = fs.constants;
  try {
    return fs.openSync(`/proc/self/fd/${String(fd)}`, O_WRONLY | O_NONBLOCK | O_APPEND | O_NOCTTY);
  } catch {
    return undefined;
  }
};

/** What takes bytes or refuses them at once is written to right here: waking a thread for it costs ten times as much. */
const prompt = (fd: number): Outlet => {
  const write = (bytes: Buffer): number => fs.writeSync(fd, bytes);
  return { write, writeNow: write, terminal: tty.isatty(fd) };
};

/**
 * A socket, as systemd and node's own `stdio: "pipe"` give, can't be opened anew, and a thread that is held up by its
 * reader would hold up the process's end. node's stream polls it.
 */
const throughStream = (stream: typeof process.stdout): Outlet => {
  stream.on("error", () => undefined);
  return {
    write: (bytes) =>
      new Promise((resolve) => {
        // Fails only when the reader has gone, and then for ever: nobody is left who could miss the bytes.
        stream.write(bytes, () => {
          resolve(bytes.length);
        });
      }),
    writeNow: (bytes) => fs.writeSync(stream.fd, bytes),
    terminal: false,
  };
};

const writeInBackground = promisify(fs.write);

/** What may block is written to by another thread. */
const inBackground = (fd: number): Outlet => ({
  write: async (bytes) => (await writeInBackground(fd, bytes)).bytesWritten,
  writeNow: (bytes) => fs.writeSync(fd, bytes),
  terminal: tty.isatty(fd),
});

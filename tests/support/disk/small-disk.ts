/** A file system of a few mebibytes that a test can fill: a tmpfs, which only root can mount. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync } from "node:fs";
import { open, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

export interface SmallDisk {
  readonly directory: string;
  /** Fills the disk except for this number of bytes, as another program would. */
  fill(left: number): Promise<void>;
  /** Frees the filled space. */
  free(): Promise<void>;
  freeBytes(): Promise<number>;
  unmount(): void;
}

const CHUNK = Buffer.alloc(1024 * 1024);

const run = (program: string, ...args: readonly string[]): void => {
  execFileSync(program, args, { stdio: "ignore" });
};

/** Mounts the file system. Throws if this process is not allowed to. */
export const mountSmallDisk = (mebibytes: number): SmallDisk => {
  const directory = mkdtempSync(path.join(tmpdir(), "stationgate-disk-"));
  const ballast = path.join(directory, "ballast");
  try {
    run("mount", "-t", "tmpfs", "-o", `size=${mebibytes}m`, "tmpfs", directory);
  } catch (error) {
    rmdirSync(directory);
    throw error;
  }
  const freeBytes = async (): Promise<number> => {
    const { bavail, bsize } = await statfs(directory);
    return bavail * bsize;
  };
  return {
    directory,
    freeBytes,
    fill: async (left) => {
      const file = await open(ballast, "a");
      try {
        for (let more = 1; more > 0;) {
          more = Math.min(CHUNK.length, (await freeBytes()) - left);
          // Other processes write too, so the free space can shrink before the write.
          if (more > 0) await file.write(CHUNK, 0, more).catch(() => undefined);
        }
      } finally {
        await file.close();
      }
    },
    free: () => rm(ballast, { force: true }),
    unmount: () => {
      // A lazy unmount, because a killed process may still have open files.
      run("umount", "-l", directory);
      rmdirSync(directory);
    },
  };
};

const mayMount = (): boolean => {
  try {
    mountSmallDisk(1).unmount();
    return true;
  } catch {
    return false;
  }
};

/** `describe` for tests on small disks. They are skipped with a message if this process can't mount a file system. */
export const describeOnSmallDisks = (name: string, body: () => void): void => {
  if (mayMount()) {
    describe(name, body);
    return;
  }
  process.stderr.write(`SKIPPED: ${name} (to run it be root and allowed to mount a tmpfs)\n`);
  describe.skip(`${name} [skipped: no mount]`, body);
};

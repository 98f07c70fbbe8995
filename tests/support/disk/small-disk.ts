/** A file system of a few mebibytes that a test can fill: a tmpfs, or an ext4 in a file. Only root can mount them. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmdirSync, rmSync, writeFileSync, truncateSync } from "node:fs";
import { open, rm, statfs } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

export type FileSystem = "tmpfs" | "ext4";

export interface SmallDisk {
  readonly directory: string;
  /** Fills the disk except for this number of bytes, as another program would. */
  fill(left: number): Promise<void>;
  /** Frees the filled space. */
  free(): Promise<void>;
  freeBytes(): Promise<number>;
  makeReadOnly(): void;
  unmount(): void;
}

const CHUNK = Buffer.alloc(1024 * 1024);

const run = (program: string, ...args: readonly string[]): void => {
  execFileSync(program, args, { stdio: "ignore" });
};

const MOUNTS: Readonly<Record<FileSystem, (mebibytes: number, directory: string) => void>> = {
  tmpfs: (mebibytes, directory) => {
    run("mount", "-t", "tmpfs", "-o", `size=${mebibytes}m`, "tmpfs", directory);
  },
  ext4: (mebibytes, directory) => {
    const image = `${directory}.img`;
    try {
      writeFileSync(image, "");
      truncateSync(image, mebibytes * CHUNK.length);
      // Without blocks that only root may use: the gateway of the tests can run as root.
      run("mkfs.ext4", "-q", "-F", "-m", "0", image);
      run("mount", "-o", "loop", image, directory);
    } finally {
      // The mount keeps the file open.
      rmSync(image, { force: true });
    }
  },
};

/** Mounts the file system. Throws if this process is not allowed to. */
export const mountSmallDisk = (mebibytes: number, kind: FileSystem = "tmpfs"): SmallDisk => {
  const directory = mkdtempSync(path.join(tmpdir(), "stationgate-disk-"));
  const ballast = path.join(directory, "ballast");
  try {
    MOUNTS[kind](mebibytes, directory);
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
    makeReadOnly: () => {
      run("mount", "-o", "remount,ro", directory);
    },
    free: () => rm(ballast, { force: true }),
    unmount: () => {
      // A lazy unmount, because a killed process may still have open files.
      run("umount", "-l", directory);
      rmdirSync(directory);
    },
  };
};

const mayMount = (kind: FileSystem): boolean => {
  try {
    mountSmallDisk(8, kind).unmount();
    return true;
  } catch {
    return false;
  }
};

/** `describe` for tests on each kind of small disk. They are skipped with a message if this process can't mount it. */
export const describeOnSmallDisks = (name: string, body: (kind: FileSystem) => void): void => {
  for (const kind of Object.keys(MOUNTS) as FileSystem[]) {
    const title = `${name} (${kind})`;
    const tests = (): void => {
      body(kind);
    };
    if (mayMount(kind)) {
      describe(title, tests);
    } else {
      process.stderr.write(`SKIPPED: ${title} (to run it be root and allowed to mount the file system)\n`);
      describe.skip(`${title} [skipped: no mount]`, tests);
    }
  }
};

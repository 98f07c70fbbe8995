/**
 * Knows whether the spool's disk takes writes, in the main process. After a failed write it tries a write of its own from time to
 * time: a load balancer sends no events to a gateway that is not ready, so no event would show that there is room again.
 */
import path from "node:path";
import type { Clock } from "../lib/clock.ts";
import type { SpoolFiles } from "./files.ts";

export interface DiskWatch {
  readonly isWritable: boolean;
  /** A write of this number of bytes has failed. */
  failed(bytes: number): void;
  /** Resolves when no write is in flight. */
  close(): Promise<void>;
}

export interface DiskWatchOptions {
  readonly directory: string;
  readonly files: SpoolFiles;
  readonly clock: Clock;
  /** Called when `isWritable` has changed. */
  readonly onChange: (isWritable: boolean) => void;
}

const PERIOD_MS = 500;
/** Bytes that are written: as many as the failed write had, within these limits. */
const LEAST_BYTES = 64 * 1024;
const MOST_BYTES = 2 * 1024 * 1024;

export const watchDisk = ({ directory, files, clock, onChange }: DiskWatchOptions): DiskWatch => {
  const name = path.join(directory, "room.probe");
  let isWritable = true;
  let bytes = LEAST_BYTES;
  let cancel: (() => void) | undefined;
  let running = Promise.resolve();
  let isClosed = false;

  const tryWrite = async (): Promise<boolean> => {
    try {
      await files.remove(name);
      const file = await files.create(name);
      try {
        await file.write(Buffer.alloc(bytes), 0);
        await file.sync();
      } finally {
        await file.close();
      }
      return true;
    } catch {
      return false;
    } finally {
      await files.remove(name).catch(() => undefined);
    }
  };

  const look = async (): Promise<void> => {
    const hasRoom = await tryWrite();
    if (isClosed) return;
    if (hasRoom) change(true);
    else schedule();
  };

  const schedule = (): void => {
    cancel = clock.after(PERIOD_MS, () => {
      running = look();
    });
  };

  const change = (now: boolean): void => {
    isWritable = now;
    onChange(now);
  };

  return {
    get isWritable() {
      return isWritable;
    },
    failed: (failedBytes) => {
      const tried = Math.min(MOST_BYTES, Math.max(LEAST_BYTES, failedBytes));
      bytes = isWritable ? tried : Math.max(bytes, tried);
      if (!isWritable || isClosed) return;
      change(false);
      schedule();
    },
    close: async () => {
      isClosed = true;
      cancel?.();
      await running;
    },
  };
};

/** A directory for a spool, events for it, and a file system with faults. */
import type { BrokerRecord } from "../../src/broker/broker.ts";
import { makeDirectory } from "../../src/lib/file-system.ts";
import { spoolFiles, type SpoolFile, type SpoolFiles } from "../../src/spool/files.ts";
import type { Room } from "../../src/spool/room.ts";
import { TopicReader } from "../../src/spool/topic-reader.ts";
import { createTopicWriter, type TopicWriter } from "../../src/spool/topic-writer.ts";
import type { SpooledEvent } from "../../src/spool/segment-reader.ts";
import { temporaryDirectory } from "../support/temporary-directory.ts";

export const newDirectory = (): string => temporaryDirectory("spool-");

export const record = (value: string, key: string | null = null): BrokerRecord => ({
  key: key === null ? null : Buffer.from(key),
  value: Buffer.from(value),
  headers: [],
  timestamp: 1_700_000_000_000,
});

interface LogOptions {
  readonly directory?: string;
  readonly files?: SpoolFiles;
  readonly segmentBytes?: number;
  readonly room?: Room;
}

export interface CountedRoom extends Room {
  readonly usedBytes: number;
}

export const createRoom = (maxBytes: number): CountedRoom => {
  let usedBytes = 0;
  return {
    get usedBytes() {
      return usedBytes;
    },
    take: (bytes) => {
      if (usedBytes + bytes > maxBytes) return false;
      usedBytes += bytes;
      return true;
    },
    found: (bytes) => {
      usedBytes += bytes;
    },
    give: (bytes) => {
      usedBytes -= bytes;
    },
  };
};

export const writerAt = (directory: string, options: LogOptions = {}): TopicWriter => {
  let stamp = 0;
  return createTopicWriter({
    files: spoolFiles,
    room: createRoom(Infinity),
    segmentBytes: 1 << 20,
    ...options,
    directory,
    stamp: () => ++stamp,
    now: () => 1_700_000_000_000,
    onUnwritten: () => undefined,
  });
};

export interface ReaderState {
  isLive: boolean;
  isWritten: boolean;
  readonly damages: { readonly at: number; readonly isTail: boolean }[];
}

export const readerAt = (
  directory: string,
  options: LogOptions & Partial<ReaderState> = {},
): { readonly reader: TopicReader; readonly state: ReaderState } => {
  const state: ReaderState = { isLive: false, isWritten: false, damages: [], ...options };
  const reader = new TopicReader({
    files: spoolFiles,
    onDeleted: (bytes) => options.room?.give(bytes),
    ...options,
    directory,
    isLive: () => state.isLive,
    isWritten: () => state.isWritten,
    onDamage: ({ at, isTail }) => state.damages.push({ at, isTail }),
  });
  return { reader, state };
};

/** Takes all events that can be drained now. */
export const takeAll = async (reader: TopicReader, maxBytes = 1 << 20): Promise<SpooledEvent[]> => {
  const taken: SpooledEvent[] = [];
  await reader.fill(maxBytes);
  for (let { head } = reader; head !== undefined && !head.isOpen; { head } = reader) {
    taken.push(head);
    reader.shift();
  }
  return taken;
};

/** Writes down what is done, and forgets the rest. */
export const settle = async (reader: TopicReader): Promise<void> => {
  await reader.note();
  await reader.rewind();
};

export const valuesOf = (events: readonly SpooledEvent[]): readonly string[] =>
  events.map(({ entry }) => entry.record.value?.toString() ?? "");

/** Counts the bytes that are read from files. */
export const countingFiles = (counted: { read: number }): SpoolFiles => ({
  ...spoolFiles,
  open: async (file) => {
    const opened = await spoolFiles.open(file);
    return {
      ...opened,
      read: async (at, length) => {
        const bytes = await opened.read(at, length);
        counted.read += bytes.length;
        return bytes;
      },
    };
  },
});

/** The faults of a file system: its disk has space for `left` bytes, or a flush fails. */
export interface Faults {
  left: number;
  flushFails: boolean;
}

/** A write that does not fit writes what fits, as on a full disk. Nothing is flushed: the tests kill no machine. */
export const faultyFiles = (faults: Faults): SpoolFiles => {
  const wrap = (file: SpoolFile): SpoolFile => ({
    ...file,
    write: async (bytes, at) => {
      const grows = Math.max(0, at + bytes.length - (await file.size()));
      if (grows <= faults.left) {
        faults.left -= grows;
        await file.write(bytes, at);
        return;
      }
      await file.write(bytes.subarray(0, bytes.length - grows + faults.left), at);
      faults.left = 0;
      throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
    },
    sync: () =>
      faults.flushFails
        ? Promise.reject(Object.assign(new Error("i/o error"), { code: "EIO" }))
        : Promise.resolve(),
  });
  return {
    ...spoolFiles,
    makeDirectory: (directory) => {
      makeDirectory(directory);
      return Promise.resolve();
    },
    syncDirectory: () => Promise.resolve(),
    create: async (name) => wrap(await spoolFiles.create(name)),
    open: async (name) => wrap(await spoolFiles.open(name)),
  };
};

/** Writes events from `send` to the queue. If the page goes away before that, they are saved in localStorage. */
import { type Entry, isEntry } from "./entry.ts";
import { tried } from "./guard.ts";
import type { Session } from "./session.ts";
import { uuidv7 } from "./uuid.ts";

export interface Writer {
  readonly add: (...entries: readonly Entry[]) => void;
  /** Resolves when all added events are in the queue. */
  readonly written: () => Promise<void>;
  /** Saves the events that would end with the page, before it returns; the next page reads them. False: no storage works. */
  readonly rescue: () => boolean;
  /** Removes saved events that have outcomes. */
  readonly tidy: () => void;
}

/** Keys of localStorage under which earlier pages and other tabs have saved events. */
const savedKeysOf = (name: string): string[] =>
  tried(() => Object.keys(localStorage).filter((key) => key.startsWith(`${name} `))) ?? [];

/** The saved events of a key. Invalid values are skipped. */
const savedEntries = (key: string): Entry[] =>
  tried(() => (JSON.parse(localStorage.getItem(key) ?? "[]") as unknown[]).filter(isEntry)) ?? [];

/** Events of one microtask are written together. `onOverflow` gets the entries that exceed `maxQueued`. */
export const createWriter = (
  { name, queue }: Session,
  onOverflow: (entries: readonly Entry[]) => void,
): Writer => {
  const own = `${name} ${uuidv7()}`;
  const unwritten: Entry[] = [];
  let savedKeys = savedKeysOf(name);
  let isScheduled = false;
  let written = Promise.resolve();

  const rescue = (): boolean => {
    const entries = [...queue.unkept(), ...unwritten];
    const isDone = tried(() => {
      if (entries.length > 0) localStorage.setItem(own, JSON.stringify(entries));
      for (const key of savedKeys) if (entries.length === 0 || key !== own) localStorage.removeItem(key);
      savedKeys = entries.length > 0 ? [own] : [];
      return true;
    });
    // Without storage, only the requests at the end of the page can save the events.
    return isDone ?? entries.length === 0;
  };
  const tidy = (): void => {
    if (savedKeys.length > 0) rescue();
  };
  const write = async (): Promise<void> => {
    isScheduled = false;
    onOverflow(await queue.add(unwritten.splice(0)));
    tidy();
  };
  const add = (...entries: readonly Entry[]): void => {
    unwritten.push(...entries);
    if (isScheduled) return;
    isScheduled = true;
    written = written.then(write);
  };
  if (savedKeys.length > 0) add(...savedKeys.flatMap(savedEntries));

  return { add, written: () => written, rescue, tidy };
};

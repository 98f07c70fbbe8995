/** From `send` into the queue; a page that goes away before its events are there leaves them in localStorage. */
import { type Entry, isEntry } from "./entry.ts";
import { tried } from "./guard.ts";
import type { Session } from "./session.ts";
import { uuidv7 } from "./uuid.ts";

export interface Writer {
  readonly add: (...entries: readonly Entry[]) => void;
  /** Resolves when all that was added is in the queue. */
  readonly written: () => Promise<void>;
  /** Puts down, before it returns, what would end with the page; the next page finds it. False: nothing takes it. */
  readonly rescue: () => boolean;
  /** Events have got their outcomes: what was put down of them goes away. */
  readonly tidy: () => void;
}

/** Where earlier pages, and perhaps other tabs that are alive, have left something. */
const shelvesOf = (name: string): string[] =>
  tried(() => Object.keys(localStorage).filter((key) => key.startsWith(`${name} `))) ?? [];

/** What isn't an event is passed over. */
const onShelf = (key: string): Entry[] =>
  tried(() => (JSON.parse(localStorage.getItem(key) ?? "[]") as unknown[]).filter(isEntry)) ?? [];

/** What was sent in one turn of the page is written at once. `onOverflow` gets those for which the queue has no room. */
export const createWriter = (
  { name, queue }: Session,
  onOverflow: (entries: readonly Entry[]) => void,
): Writer => {
  const own = `${name} ${uuidv7()}`;
  const unwritten: Entry[] = [];
  let shelves = shelvesOf(name);
  let isScheduled = false;
  let written = Promise.resolve();

  const rescue = (): boolean => {
    const entries = [...queue.unkept(), ...unwritten];
    const isDone = tried(() => {
      if (entries.length > 0) localStorage.setItem(own, JSON.stringify(entries));
      for (const key of shelves) if (entries.length === 0 || key !== own) localStorage.removeItem(key);
      shelves = entries.length > 0 ? [own] : [];
      return true;
    });
    // Where nothing takes it, what was sent on leaving has to do.
    return isDone ?? entries.length === 0;
  };
  const tidy = (): void => {
    if (shelves.length > 0) rescue();
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
  if (shelves.length > 0) add(...shelves.flatMap(onShelf));

  return { add, written: () => written, rescue, tidy };
};

/** From `send` into the queue; a page that goes away before its events are there leaves them in localStorage. */
import type { Entry } from "./entry.ts";
import type { Session } from "./session.ts";
import { uuidv7 } from "./uuid.ts";

export interface Writer {
  readonly add: (entry: Entry) => void;
  /** Resolves when all that was added is in the queue. */
  readonly written: () => Promise<void>;
  /** Puts down, before it returns, what isn't in the queue yet; who comes next finds it. */
  readonly rescue: () => void;
}

const storage = (): Storage | undefined => {
  try {
    return localStorage;
  } catch {
    // A page that may keep nothing.
    return undefined;
  }
};

/** Where earlier pages, and perhaps other tabs that are alive, have left something. */
const shelvesOf = (name: string): string[] =>
  Object.keys(storage() ?? {}).filter((key) => key.startsWith(`${name} `));

const onShelf = (key: string): Entry[] => JSON.parse(storage()?.getItem(key) ?? "[]") as Entry[];

/** What was sent in one turn of the page is written at once. */
export const createWriter = ({ name, queue }: Session): Writer => {
  const own = `${name} ${uuidv7()}`;
  const shelves = shelvesOf(name);
  const unwritten = shelves.flatMap(onShelf);
  let isScheduled = false;
  let written = Promise.resolve();

  const write = async (): Promise<void> => {
    isScheduled = false;
    const entries = unwritten.slice();
    await queue.add(entries);
    unwritten.splice(0, entries.length);
    for (const key of [own, ...shelves.splice(0)]) storage()?.removeItem(key);
  };
  const schedule = (): void => {
    if (isScheduled) return;
    isScheduled = true;
    written = written.then(write);
  };
  if (unwritten.length > 0) schedule();

  return {
    add: (entry) => {
      unwritten.push(entry);
      schedule();
    },
    written: () => written,
    rescue: () => {
      if (unwritten.length === 0) return;
      try {
        storage()?.setItem(own, JSON.stringify(unwritten));
      } catch {
        // No room: what was sent on leaving has to do.
      }
    },
  };
};

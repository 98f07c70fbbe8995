/**
 * Grants a limited number of turns at a time, fairly. A party is a path, such as ["sign-in", "ann", "192.0.2.1"]. At each
 * level of the path the parties alternate, so that a party with many waiting turns delays another by at most one turn.
 */

export interface Turn {
  /** True if the turn has begun. */
  readonly isGranted: boolean;
  /** Resolves to true when the turn begins; `end` must be called after it. Resolves to false if refused or withdrawn. */
  readonly granted: Promise<boolean>;
  /** Cancels a waiting turn. No effect if the turn has begun. */
  withdraw(): void;
  readonly end: () => void;
}

export interface FairTurns {
  take(party: readonly [queue: string, ...rest: string[]]): Turn;
}

export interface FairTurnsOptions {
  readonly permits: number;
  /**
   * Maximum number of waiting turns with the same first path element. Above it the newest turn of the party with the most
   * waiting turns is refused, which isn't always the turn that was taken last.
   */
  readonly maxWaiting: number;
}

interface Waiting {
  readonly path: readonly Party[];
  state: "waiting" | "granted" | "over";
  readonly granted: Promise<boolean>;
  /** Takes the turn out of the queue. Only the first call counts. */
  settle(granted: boolean): void;
}

/**
 * A node of the tree of paths. Its children are in the order of their next turns. A node without waiting turns is
 * removed.
 */
interface Party {
  readonly name: string;
  readonly children: Map<string, Party>;
  readonly own: Waiting[];
  waiting: number;
}

const createParty = (name: string): Party => ({ name, children: new Map(), own: [], waiting: 0 });

export const createFairTurns = ({ permits, maxWaiting }: FairTurnsOptions): FairTurns => {
  const root = createParty("");
  let free = permits;

  const end = (): void => {
    const next = nextOf(root);
    if (next === undefined) free += 1;
    else next.settle(true);
  };

  return {
    take: (names) => {
      if (free > 0) {
        free -= 1;
        return { isGranted: true, granted: Promise.resolve(true), withdraw: () => undefined, end };
      }
      const path = pathOf(root, names);
      const waiting = createWaiting(path);
      add(waiting);
      const queue = path[1];
      if (queue !== undefined && queue.waiting > maxWaiting) newestOfLargest(queue)?.settle(false);
      return {
        get isGranted() {
          return waiting.state === "granted";
        },
        granted: waiting.granted,
        withdraw: () => {
          waiting.settle(false);
        },
        end,
      };
    },
  };
};

const createWaiting = (path: readonly Party[]): Waiting => {
  let resolve: (granted: boolean) => void;
  const waiting: Waiting = {
    path,
    state: "waiting",
    granted: new Promise((settle) => (resolve = settle)),
    settle: (granted) => {
      if (waiting.state !== "waiting") return;
      waiting.state = granted ? "granted" : "over";
      remove(waiting);
      resolve(granted);
    },
  };
  return waiting;
};

/** The nodes from the root to the end of the path. Creates the missing ones. */
const pathOf = (root: Party, names: readonly string[]): readonly Party[] => {
  const path = [root];
  let party = root;
  for (const name of names) {
    const child = party.children.get(name) ?? createParty(name);
    party.children.set(name, child);
    party = child;
    path.push(child);
  }
  return path;
};

const add = (waiting: Waiting): void => {
  waiting.path.at(-1)?.own.push(waiting);
  for (const party of waiting.path) party.waiting += 1;
};

const remove = (waiting: Waiting): void => {
  const own = waiting.path.at(-1)?.own;
  own?.splice(own.indexOf(waiting), 1);
  waiting.path.forEach((party, step) => {
    party.waiting -= 1;
    if (party.waiting === 0) waiting.path[step - 1]?.children.delete(party.name);
  });
};

/** The next waiting turn. Moves each node on its path behind its siblings. */
const nextOf = (party: Party): Waiting | undefined => {
  if (party.own.length > 0) return party.own[0];
  const [child] = party.children.values();
  if (child === undefined) return undefined;
  party.children.delete(child.name);
  party.children.set(child.name, child);
  return nextOf(child);
};

/** The newest turn of the party with the most waiting turns; among equals, of the party that is served last. */
const newestOfLargest = (party: Party): Waiting | undefined => {
  if (party.children.size === 0) return party.own.at(-1);
  const largest = [...party.children.values()].reduce((one, other) =>
    other.waiting >= one.waiting ? other : one,
  );
  return newestOfLargest(largest);
};

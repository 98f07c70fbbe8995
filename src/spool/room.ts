/** The bytes that the spool may use on the disk: one number for the pod, of which each worker gets a part when it needs it. */

/** The room of one worker. */
export interface Room {
  /** Takes the bytes. false: the spool has no room for them, and nothing is taken. */
  take(bytes: number): boolean | Promise<boolean>;
  /** Takes bytes that are on the disk already. */
  found(bytes: number): void;
  give(bytes: number): void;
}

export interface Lease extends Room {
  /** The answer to `ask`: 0 if there is no room. */
  granted(bytes: number): void;
  /** Gives up the bytes that were granted and not taken, and returns their number. Call it while no write is in flight. */
  drop(): number;
}

export interface LeaseOptions {
  /** Asks the main process for at least this number of bytes. It answers each question. */
  readonly ask: (bytes: number) => void;
  /** Milliseconds of a monotonic clock. */
  readonly monotonic: () => number;
}

/** Milliseconds after a refusal in which the main process isn't asked again: a full spool must not cost it a message for each event. */
const REFUSED_MS = 100;

export const createLease = ({ ask, monotonic }: LeaseOptions): Lease => {
  /** Negative: more bytes were found than granted. */
  let left = 0;
  let refused = { bytes: Infinity, until: -Infinity };
  const waiting: { readonly bytes: number; readonly settle: (isTaken: boolean) => void }[] = [];

  /** undefined: the main process must be asked. */
  const decide = (bytes: number): boolean | undefined => {
    if (left >= bytes) {
      left -= bytes;
      return true;
    }
    return bytes - left >= refused.bytes && monotonic() < refused.until ? false : undefined;
  };

  const settleWaiting = (): void => {
    for (let [first] = waiting; first !== undefined; [first] = waiting) {
      const isTaken = decide(first.bytes);
      if (isTaken === undefined) {
        ask(first.bytes - left);
        return;
      }
      waiting.shift();
      first.settle(isTaken);
    }
  };

  return {
    take: (bytes) => {
      const isTaken = waiting.length > 0 ? undefined : decide(bytes);
      if (isTaken !== undefined) return isTaken;
      return new Promise((settle) => {
        waiting.push({ bytes, settle });
        if (waiting.length === 1) ask(bytes - left);
      });
    },
    found: (bytes) => {
      left -= bytes;
    },
    give: (bytes) => {
      left += bytes;
    },
    granted: (bytes) => {
      left += bytes;
      const [first] = waiting;
      if (bytes === 0 && first !== undefined)
        refused = { bytes: first.bytes - left, until: monotonic() + REFUSED_MS };
      settleWaiting();
    },
    drop: () => {
      const dropped = left;
      left = 0;
      return dropped;
    },
  };
};

/** The room of all folders, in the main process. */
export interface PodRoom {
  readonly usedBytes: number;
  /** False: a worker was refused, and nothing was freed since. */
  readonly hasRoom: boolean;
  /** Takes at least `wanted` bytes for a folder of one of `workers` workers. 0: there is no room. */
  grant(folder: string, wanted: number, workers: number): number;
  change(folder: string, bytes: number): void;
  /** No process writes the folder, and its files have this number of bytes. */
  settle(folder: string, bytes: number): void;
}

/** A worker gets more than it wants, so that it asks seldom: at most this number of bytes, and this share of what is left for each. */
const GRANT_BYTES = 1024 * 1024;
const GRANT_SHARE = 8;

export const createPodRoom = (maxBytes: number): PodRoom => {
  const folders = new Map<string, number>();
  let usedBytes = 0;
  let hasRoom = true;

  const change = (folder: string, bytes: number): void => {
    folders.set(folder, (folders.get(folder) ?? 0) + bytes);
    usedBytes += bytes;
    if (bytes < 0) hasRoom = true;
  };

  return {
    get usedBytes() {
      return usedBytes;
    },
    get hasRoom() {
      return hasRoom;
    },
    grant: (folder, wanted, workers) => {
      const left = maxBytes - usedBytes;
      hasRoom = wanted <= left;
      if (!hasRoom) return 0;
      const bytes = Math.max(wanted, Math.min(GRANT_BYTES, Math.floor(left / (GRANT_SHARE * workers))));
      change(folder, bytes);
      return bytes;
    },
    change,
    settle: (folder, bytes) => {
      change(folder, bytes - (folders.get(folder) ?? 0));
      if (bytes === 0) folders.delete(folder);
    },
  };
};

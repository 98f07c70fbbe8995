/** Events that wait: in IndexedDB, where all tabs see them and a reload leaves them alone; in memory where that fails. */
import type { Entry } from "./entry.ts";

export interface Queue {
  add(entries: readonly Entry[]): Promise<void>;
  /** The oldest entries: so many, and of so many bytes, but at least one. */
  first(most: number, bytes: number): Promise<Entry[]>;
  remove(ids: readonly string[]): Promise<void>;
  /** Does it outlive the page? */
  isLasting(): boolean;
  close(): void;
}

const STORE = "events";

const opened = (name: string): Promise<IDBDatabase | undefined> =>
  new Promise((resolve) => {
    try {
      const request = indexedDB.open(name, 1);
      request.onupgradeneeded = () => {
        // The key is made here, so that events of all tabs have one order; their ids only find them again.
        request.result.createObjectStore(STORE, { autoIncrement: true }).createIndex("id", "id");
      };
      request.onsuccess = () => {
        resolve(request.result);
      };
      request.onerror = () => {
        resolve(undefined);
      };
    } catch {
      resolve(undefined);
    }
  });

/** Resolves with what `work` asked for once its transaction is complete. */
const transact = <T>(
  db: IDBDatabase,
  mode: IDBTransactionMode,
  work: (store: IDBObjectStore) => IDBRequest<T> | undefined,
): Promise<T | undefined> =>
  new Promise((resolve, reject) => {
    const transaction = db.transaction(STORE, mode);
    const request = work(transaction.objectStore(STORE));
    transaction.oncomplete = () => {
      resolve(request?.result);
    };
    transaction.onabort = reject;
  });

const cut = (entries: readonly Entry[], most: number, bytes: number): Entry[] => {
  let size = 0;
  return entries.slice(0, most).filter((entry, i) => (size += entry.bytes) <= bytes || i === 0);
};

/** Never rejects: what the browser won't keep, for want of room or by its settings, waits in memory. */
export const openQueue = (name: string): Queue => {
  const opening = opened(name);
  let lasting = true;
  let memory: Entry[] = [];

  const onDisk = async <T>(
    mode: IDBTransactionMode,
    work: (store: IDBObjectStore) => IDBRequest<T> | undefined,
  ): Promise<{ result: T | undefined } | undefined> => {
    try {
      const db = await opening;
      if (db) return { result: await transact(db, mode, work) };
    } catch {
      // As if there were no database.
    }
    lasting = false;
    return undefined;
  };

  return {
    add: async (entries) => {
      const kept = await onDisk("readwrite", (store) => {
        for (const entry of entries) store.add(entry);
        // At once: a transaction that waits for its page to commit it ends with the page.
        store.transaction.commit();
        return undefined;
      });
      if (!kept) memory.push(...entries);
    },
    first: async (most, bytes) => {
      const disk = await onDisk<Entry[]>("readonly", (store) => store.getAll(null, most));
      return cut([...(disk?.result ?? []), ...memory], most, bytes);
    },
    remove: async (ids) => {
      if (ids.length === 0) return;
      memory = memory.filter(({ id }) => !ids.includes(id));
      await onDisk("readwrite", (store) => {
        for (const id of ids) {
          const found = store.index("id").getKey(id);
          found.onsuccess = () => {
            if (found.result !== undefined) store.delete(found.result);
          };
        }
        return undefined;
      });
    },
    isLasting: () => lasting,
    close: () => {
      void opening.then((db) => db?.close());
    },
  };
};

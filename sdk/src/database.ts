/** One object store of IndexedDB. IndexedDB may be missing, fail, or never answer. */
import { tried, within } from "./guard.ts";

export interface Database {
  /**
   * Resolves when all requests of `work` are complete. Rejects if the transaction fails or takes too long. After a timeout,
   * which calls `onTimeout`, it may still complete.
   */
  readonly transact: (
    mode: IDBTransactionMode,
    work: (store: IDBObjectStore) => void,
    onTimeout?: () => void,
  ) => Promise<void>;
  readonly wasThere: () => boolean;
  readonly close: () => void;
}

const STORE = "events";

/** Maximum duration of a transaction, and the pause after one that took longer, in milliseconds. */
const TIMEOUT_MS = 5000;
const PAUSE_MS = 30_000;

const opened = (name: string): Promise<IDBDatabase> =>
  new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => {
      // The store creates the keys, so that the events of all tabs have one order. The index finds an event by its id.
      request.result.createObjectStore(STORE, { autoIncrement: true }).createIndex("id", "id");
    };
    request.onsuccess = () => {
      const db = request.result;
      // The user deletes the database, or a later version of the SDK waits until it is closed.
      db.onversionchange = () => {
        db.close();
      };
      resolve(db);
    };
    request.onerror = reject;
  });

const completed = (transaction: IDBTransaction, work: (store: IDBObjectStore) => void): Promise<void> =>
  new Promise((resolve, reject) => {
    transaction.oncomplete = () => {
      resolve();
    };
    transaction.onabort = reject;
    try {
      work(transaction.objectStore(STORE));
    } catch (error) {
      // Otherwise the requests before the error would be stored.
      tried(() => {
        transaction.abort();
      });
      throw error;
    }
  });

export const openDatabase = (name: string): Database => {
  let opening: Promise<IDBDatabase> | undefined;
  let pausedUntil = 0;
  let wasThere = false;

  const run = async (mode: IDBTransactionMode, work: (store: IDBObjectStore) => void): Promise<void> => {
    let transaction: IDBTransaction;
    try {
      opening ??= opened(name);
      transaction = (await opening).transaction(STORE, mode);
    } catch (error) {
      // The next transaction opens the database again.
      opening = undefined;
      throw error;
    }
    wasThere = true;
    return completed(transaction, work);
  };

  return {
    transact: async (mode, work, onTimeout) => {
      if (performance.now() < pausedUntil) throw new TypeError(STORE);
      await within(TIMEOUT_MS, run(mode, work), () => {
        pausedUntil = performance.now() + PAUSE_MS;
        onTimeout?.();
      });
    },
    wasThere: () => wasThere,
    close: () => {
      opening?.then(
        (db) => {
          db.close();
        },
        () => undefined,
      );
    },
  };
};

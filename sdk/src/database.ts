/** One object store of IndexedDB, which may be missing, fail, or never answer. */
import { tried, within } from "./guard.ts";

export interface Database {
  /**
   * Resolves when all that `work` asked for is complete. Rejects where it fails, or takes too long: then it may still be
   * completed later, which `onTimeout` tells.
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

/** Milliseconds for one transaction, and how long none is tried after one that took longer. */
const PATIENCE = 5000;
const REST = 30_000;

const opened = (name: string): Promise<IDBDatabase> =>
  new Promise((resolve, reject) => {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => {
      // The key is made here, so that events of all tabs have one order; their ids only find them again.
      request.result.createObjectStore(STORE, { autoIncrement: true }).createIndex("id", "id");
    };
    request.onsuccess = () => {
      const db = request.result;
      // The user deletes it, or a later version of this program waits for us to let go of it.
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
      // Or else the half of it that was asked for would be stored.
      tried(() => {
        transaction.abort();
      });
      throw error;
    }
  });

export const openDatabase = (name: string): Database => {
  let opening: Promise<IDBDatabase> | undefined;
  let restsUntil = 0;
  let wasThere = false;

  const run = async (mode: IDBTransactionMode, work: (store: IDBObjectStore) => void): Promise<void> => {
    let transaction: IDBTransaction;
    try {
      opening ??= opened(name);
      transaction = (await opening).transaction(STORE, mode);
    } catch (error) {
      // The next one opens it anew.
      opening = undefined;
      throw error;
    }
    wasThere = true;
    return completed(transaction, work);
  };

  return {
    transact: async (mode, work, onTimeout) => {
      if (performance.now() < restsUntil) throw new TypeError(STORE);
      await within(PATIENCE, run(mode, work), () => {
        restsUntil = performance.now() + REST;
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

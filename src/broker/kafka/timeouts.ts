/** Bounds on the patience with a client library. */

class Overdue extends Error {
  override readonly name = "Overdue";
}

/** The promise's end, or an Overdue after so many milliseconds; what comes later is dropped, failures included. */
export const settledWithin = <T>(ms: number, promise: Promise<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Overdue(`no end within ${ms} ms`));
    }, ms);
    promise
      .finally(() => {
        clearTimeout(timer);
      })
      .then(resolve, reject);
  });

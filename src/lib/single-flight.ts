/** One run of work for all callers that ask for it while it is under way. */
/** Runs the work, or returns the promise of the work with the same key that is under way. */
export type SingleFlight<T> = (key: string, work: () => Promise<T>) => Promise<T>;

export const createSingleFlight = <T>(): SingleFlight<T> => {
  const underWay = new Map<string, Promise<T>>();
  return (key, work) => {
    const joined = underWay.get(key);
    if (joined !== undefined) return joined;
    const begun = work().finally(() => {
      underWay.delete(key);
    });
    underWay.set(key, begun);
    return begun;
  };
};

/** Calls with the same key share one request while it is in flight. */
export const shared = <T>(ask: (key: string) => Promise<T>): ((key: string) => Promise<T>) => {
  const once = createSingleFlight<T>();
  return (key) => once(key, () => ask(key));
};

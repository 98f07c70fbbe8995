/** Calls with the same key share one run of the work while it is under way. */
export interface SingleFlight {
  once<T>(key: string, work: () => Promise<T>): Promise<T>;
}

export const createSingleFlight = (): SingleFlight => {
  const underWay = new Map<string, Promise<unknown>>();
  return {
    once: <T>(key: string, work: () => Promise<T>) => {
      const joined = underWay.get(key);
      if (joined !== undefined) return joined as Promise<T>;
      const begun = work().finally(() => {
        underWay.delete(key);
      });
      underWay.set(key, begun);
      return begun;
    },
  };
};

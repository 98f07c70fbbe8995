/** A first-in-first-out queue with constant time at both ends. `Array.shift` moves every element of a long array. */
export interface Fifo<T> {
  readonly size: number;
  push(item: T): void;
  peek(): T | undefined;
  shift(): T | undefined;
}

/** The array is compacted after this many elements have been taken. */
const COMPACT_AT = 1024;

export const createFifo = <T>(): Fifo<T> => {
  let items: (T | undefined)[] = [];
  let head = 0;
  return {
    get size() {
      return items.length - head;
    },
    push(item) {
      items.push(item);
    },
    peek: () => items[head],
    shift() {
      const item = items[head];
      if (head < items.length) {
        // A taken item must not stay in memory until the queue is moved.
        items[head] = undefined;
        head += 1;
      }
      if (head === items.length) {
        items.length = 0;
        head = 0;
      } else if (head >= COMPACT_AT && head * 2 >= items.length) {
        items = items.slice(head);
        head = 0;
      }
      return item;
    },
  };
};

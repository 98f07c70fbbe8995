/**
 * Values in the order in which they were added, for lists that get and lose a value with each request. A `Set` makes a new table when it
 * becomes empty, and each of its old tables refers to the next one: they reach the old generation, with all tables after them.
 */
export class LinkedList<T> {
  #first: Entry<T> | undefined;
  #last: Entry<T> | undefined;

  /** The value that was added first; undefined: the list is empty. */
  get first(): T | undefined {
    return this.#first?.value;
  }

  /** The values, in order. The list must not change meanwhile. */
  *[Symbol.iterator](): Iterator<T> {
    for (let entry = this.#first; entry !== undefined; entry = entry.after) yield entry.value;
  }

  add(value: T): ListEntry<T> {
    const entry: Entry<T> = { value, before: this.#last, after: undefined, isListed: true };
    if (this.#last === undefined) this.#first = entry;
    else this.#last.after = entry;
    this.#last = entry;
    return entry;
  }

  /** The entry must be one of this list. Removing it again has no effect. */
  remove(listed: ListEntry<T>): void {
    const entry = listed as Entry<T>;
    if (!entry.isListed) return;
    const { before, after } = entry;
    if (before === undefined) this.#first = after;
    else before.after = after;
    if (after === undefined) this.#last = before;
    else after.before = before;
    entry.isListed = false;
    // A removed entry must not keep its neighbours in memory.
    entry.before = undefined;
    entry.after = undefined;
  }
}

export interface ListEntry<T> {
  readonly value: T;
}

interface Entry<T> extends ListEntry<T> {
  before: Entry<T> | undefined;
  after: Entry<T> | undefined;
  isListed: boolean;
}

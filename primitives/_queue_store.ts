import { checkFunction, show } from "../_internal/check.ts";
import { Ring } from "../_internal/ring.ts";

/**
 * In which order a queue gives its items: the oldest first, the newest first, or
 * the smallest first, by a function that compares two as for `Array.sort`.
 */
export type QueueOrder<T> = "fifo" | "lifo" | ((a: T, b: T) => number);

/** Where a queue keeps its items. */
export interface QueueStore<T> {
  readonly size: number;
  push(item: T): void;
  /** Takes out the item that is next; there must be one. */
  shift(): T | undefined;
  /** Takes out all items, the next one first. It never throws. */
  drain(): T[];
}

/** A store that gives its items in this order. */
export function storeFor<T>(order: QueueOrder<T>): QueueStore<T> {
  if (order === "fifo") return new Ring<T>();
  if (order === "lifo") return new Stack<T>();
  if (typeof order === "string") {
    throw new TypeError(
      `Cannot create a queue as "order" must be "fifo", "lifo" or a function: current value is ${
        show(order)
      }`,
    );
  }
  checkFunction(order, "create a queue", "order");
  return new Heap<T>(order);
}

class Stack<T> implements QueueStore<T> {
  readonly #items: T[] = [];

  get size(): number {
    return this.#items.length;
  }

  push(item: T): void {
    this.#items.push(item);
  }

  shift(): T | undefined {
    return this.#items.pop();
  }

  drain(): T[] {
    return this.#items.splice(0).reverse();
  }
}

interface Entry<T> {
  readonly item: T;
  /** Which of two equal items came first. */
  readonly seq: number;
}

/** A binary heap; of equal items the oldest comes first. */
class Heap<T> implements QueueStore<T> {
  readonly #entries: Entry<T>[] = [];
  readonly #compare: (a: T, b: T) => number;
  #seq = 0;

  constructor(compare: (a: T, b: T) => number) {
    this.#compare = compare;
  }

  get size(): number {
    return this.#entries.length;
  }

  push(item: T): void {
    const entries = this.#entries;
    const entry = { item, seq: this.#seq++ };
    let index = entries.length;
    // A comparison that throws must leave the heap as it was.
    const path: number[] = [];
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!this.#isBefore(entry, entries[parent] as Entry<T>)) break;
      path.push(parent);
      index = parent;
    }
    let hole = entries.length;
    for (const parent of path) {
      entries[hole] = entries[parent] as Entry<T>;
      hole = parent;
    }
    entries[hole] = entry;
  }

  shift(): T | undefined {
    const entries = this.#entries;
    const first = entries[0];
    const last = entries.at(-1);
    if (first === undefined || last === undefined) return undefined;
    const path = this.#pathDown(last, entries.length - 1);
    entries.pop();
    if (entries.length === 0) return first.item;
    let hole = 0;
    for (const child of path) {
      entries[hole] = entries[child] as Entry<T>;
      hole = child;
    }
    entries[hole] = last;
    return first.item;
  }

  drain(): T[] {
    const entries = this.#entries.splice(0);
    try {
      entries.sort((a, b) => this.#isBefore(a, b) ? -1 : 1);
    } catch {
      // Without a comparison that works there is no order to keep.
    }
    return entries.map(({ item }) => item);
  }

  /** Which entries move up when `entry` sinks from the top, among `count`. */
  #pathDown(entry: Entry<T>, count: number): number[] {
    const entries = this.#entries;
    const path: number[] = [];
    for (let child = 1; child < count;) {
      const right = child + 1;
      if (
        right < count &&
        this.#isBefore(
          entries[right] as Entry<T>,
          entries[child] as Entry<T>,
        )
      ) child = right;
      if (!this.#isBefore(entries[child] as Entry<T>, entry)) break;
      path.push(child);
      child = 2 * child + 1;
    }
    return path;
  }

  #isBefore(a: Entry<T>, b: Entry<T>): boolean {
    const order = this.#compare(a.item, b.item);
    return order < 0 || (order === 0 && a.seq < b.seq);
  }
}

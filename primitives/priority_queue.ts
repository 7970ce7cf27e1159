/**
 * A queue that gives the smallest item first.
 *
 * ```ts
 * import { PriorityQueue } from "@ilmek/async/priority-queue";
 *
 * const queue = new PriorityQueue<number>();
 * for (const item of [3, 1, 2]) await queue.put(item);
 * console.log(await queue.get()); // 1
 * ```
 *
 * @module
 */
import { checkFunction } from "../_internal/check.ts";
import { Queue, type QueueOptions } from "./queue.ts";

export type { QueueOptions, QueueOrder } from "./queue.ts";

/** Options of {@linkcode PriorityQueue}. */
export interface PriorityQueueOptions<T>
  extends Omit<QueueOptions<T>, "order"> {
  /**
   * Compares two items, as for `Array.sort`. Without it numbers, strings, bigints
   * and dates are compared with `<`; and of arrays the first elements that differ.
   */
  compare?: (a: T, b: T) => number;
}

/**
 * A queue: the smallest item comes first, and of equal ones the oldest.
 *
 * @typeParam T The type of the items.
 *
 * @example Do the urgent first
 * ```ts
 * import { PriorityQueue } from "@ilmek/async/priority-queue";
 * import { assertEquals } from "@std/assert";
 *
 * const jobs = new PriorityQueue<[number, string]>();
 * jobs.putNowait([2, "sweep"]);
 * jobs.putNowait([1, "put out the fire"]);
 *
 * assertEquals(jobs.getNowait(), [1, "put out the fire"]);
 * ```
 */
export class PriorityQueue<T> extends Queue<T> {
  /** Creates an empty queue. */
  constructor(options: PriorityQueueOptions<T> = {}) {
    const { compare = natural, ...rest } = options;
    checkFunction(compare, "create a queue", "compare");
    super({ ...rest, order: compare });
  }
}

/** The order of `<`; arrays are compared element by element. */
function natural(a: unknown, b: unknown): number {
  if (Array.isArray(a) && Array.isArray(b)) {
    for (let i = 0; i < Math.min(a.length, b.length); i++) {
      const order = natural(a[i], b[i]);
      if (order !== 0) return order;
    }
    return a.length - b.length;
  }
  if ((a as number) < (b as number)) return -1;
  return (a as number) > (b as number) ? 1 : 0;
}

/**
 * A queue that gives the newest item first.
 *
 * ```ts
 * import { LifoQueue } from "@ilmek/async/lifo-queue";
 *
 * const stack = new LifoQueue<string>();
 * await stack.put("first");
 * await stack.put("last");
 * console.log(await stack.get()); // "last"
 * ```
 *
 * @module
 */
import { Queue, type QueueOptions } from "./queue.ts";

export type { QueueOptions, QueueOrder } from "./queue.ts";

/** Options of {@linkcode LifoQueue}. */
export type LifoQueueOptions = Omit<QueueOptions<never>, "order">;

/**
 * A queue: last in, first out.
 *
 * @typeParam T The type of the items.
 *
 * @example Take the newest first
 * ```ts
 * import { LifoQueue } from "@ilmek/async/lifo-queue";
 * import { assertEquals } from "@std/assert";
 *
 * const stack = new LifoQueue<number>();
 * for (const item of [1, 2, 3]) stack.putNowait(item);
 *
 * assertEquals(await stack.getBatch(3), [3, 2, 1]);
 * ```
 */
export class LifoQueue<T> extends Queue<T> {
  /** Creates an empty queue. */
  constructor(options: LifoQueueOptions = {}) {
    super({ ...options, order: "lifo" });
  }
}

/**
 * Calling a function for every item, for so many items at once.
 *
 * ```ts
 * import { mapConcurrent } from "@ilmek/async/concurrent";
 * import { sleep } from "@ilmek/async/sleep";
 *
 * const pages = await mapConcurrent(
 *   [1, 2, 3],
 *   (n) => sleep(1, { value: `page ${n}` }),
 *   { concurrency: 2 },
 * );
 * console.log(pages);
 * ```
 *
 * @module
 */
import { checkCount, checkFunction, show } from "../_internal/check.ts";
import { currentFrame } from "../_internal/frame.ts";
import { closeQuietly, isLater } from "./_pull.ts";
import { iter, type IterSource } from "./async_iter.ts";
import { TaskGroup } from "./task_group.ts";
import { leafErrors, TaskGroupError } from "./task_group_error.ts";

export type { IterSource } from "./async_iter.ts";

/** Options of {@linkcode mapConcurrent} and {@linkcode forEachConcurrent}. */
export interface ConcurrentOptions {
  /** How many calls may be under way at once; `Infinity` for all. */
  concurrency: number;
}

const READY: Promise<void> = Promise.resolve();

/**
 * Calls `fn` for every item, for so many at once, and gives what it returns, in
 * the order of the items.
 *
 * Items are taken only when there is a place for them. The first failure cancels
 * the other calls; when all of them have ended, and the source is closed, it is
 * thrown. What else fails is told to the loop's exception handler.
 *
 * @typeParam T The type of the items.
 * @typeParam R What `fn` returns.
 * @param source Where the items come from.
 * @param fn What to call; it receives the item and its index.
 * @param options Additional options; `concurrency` is required.
 * @returns What `fn` has returned.
 * @throws {RangeError} If `concurrency` is not an integer >= 1.
 * @throws {TypeError} If `source` cannot be iterated, or `fn` is not a function.
 * @throws {CancelledError} If the ambient scope is cancelled before.
 *
 * @example Two at a time
 * ```ts
 * import { mapConcurrent } from "@ilmek/async/concurrent";
 * import { sleep } from "@ilmek/async/sleep";
 * import { assertEquals } from "@std/assert";
 *
 * const squares = await mapConcurrent(
 *   [3, 1, 2],
 *   (n) => sleep(n, { value: n * n }),
 *   { concurrency: 2 },
 * );
 *
 * assertEquals(squares, [9, 1, 4]);
 * ```
 */
export async function mapConcurrent<T, R>(
  source: IterSource<T>,
  fn: (item: Awaited<T>, index: number) => R | PromiseLike<R>,
  options: ConcurrentOptions,
): Promise<R[]> {
  const concurrency = check(source, fn, options);
  if (isSync(source)) {
    const results: R[] = [];
    await workThrough(source, concurrency, fn, results);
    return results;
  }
  return await iter(source).map(fn, { concurrency }).toArray();
}

/**
 * Calls `fn` for every item, for so many at once; see {@linkcode mapConcurrent}.
 *
 * @typeParam T The type of the items.
 * @param source Where the items come from.
 * @param fn What to call; it receives the item and its index.
 * @param options Additional options; `concurrency` is required.
 * @throws {RangeError} If `concurrency` is not an integer >= 1.
 * @throws {TypeError} If `source` cannot be iterated, or `fn` is not a function.
 * @throws {CancelledError} If the ambient scope is cancelled before.
 *
 * @example Two at a time
 * ```ts
 * import { forEachConcurrent } from "@ilmek/async/concurrent";
 * import { sleep } from "@ilmek/async/sleep";
 * import { assertEquals } from "@std/assert";
 *
 * const done: number[] = [];
 * await forEachConcurrent([3, 1, 2], async (n) => {
 *   await sleep(n);
 *   done.push(n);
 * }, { concurrency: 2 });
 *
 * assertEquals(done.toSorted(), [1, 2, 3]);
 * ```
 */
export async function forEachConcurrent<T>(
  source: IterSource<T>,
  fn: (item: Awaited<T>, index: number) => unknown,
  options: ConcurrentOptions,
): Promise<void> {
  const concurrency = check(source, fn, options);
  if (isSync(source)) return await workThrough(source, concurrency, fn, []);
  await iter(source).forEach(fn, { concurrency });
}

/**
 * Lets workers share one iterator: nothing is made for an item but what `fn`
 * makes. Workers begin only as long as there is something left for them.
 */
async function workThrough<T, R>(
  source: Iterable<T>,
  concurrency: number,
  fn: (item: Awaited<T>, index: number) => R | PromiseLike<R>,
  results: R[],
): Promise<void> {
  const items = source[Symbol.iterator]();
  // What has ended by itself, or has thrown, is not closed.
  let open = true;
  let failed = false;
  let index = 0;
  const work = async (): Promise<void> => {
    const frame = currentFrame();
    const { loop, scope } = frame;
    while (open && !failed) {
      if (scope.struck !== undefined) throw scope.struck;
      open = false;
      const { done, value } = items.next();
      if (done) return;
      open = true;
      const i = index++;
      try {
        const result = fn(isLater(value) ? await value : value as never, i);
        results[i] = isLater(result) ? await result : result;
      } catch (error) {
        failed = true;
        throw error;
      }
      const passed = loop.pass(READY, frame);
      if (passed !== READY) await passed;
    }
  };
  const { loop } = currentFrame();
  try {
    await TaskGroup.run((group) => {
      for (let n = 0; n < concurrency && open && !failed; n++) group.go(work);
    });
  } catch (error) {
    if (open) await closeQuietly(() => items.return?.());
    if (!(error instanceof TaskGroupError)) throw error;
    const [first, ...others] = leafErrors(error);
    for (const exception of others) {
      loop.report({
        message:
          "Cannot throw an error of a concurrent call: another came first",
        exception,
      });
    }
    throw first;
  }
}

function check(
  source: unknown,
  fn: unknown,
  options: ConcurrentOptions,
): number {
  const { concurrency } = options ?? {};
  checkFunction(fn, "call for each item");
  const isIterable = typeof source === "string" ||
    typeof source === "function" ||
    (typeof source === "object" && source !== null &&
      (Symbol.iterator in source || Symbol.asyncIterator in source));
  if (!isIterable) {
    throw new TypeError(
      `Cannot call for each item as "source" must be iterable: current value is ${
        show(source)
      }`,
    );
  }
  return checkCount(
    concurrency as number,
    "call for each item",
    "concurrency",
  );
}

function isSync<T>(source: IterSource<T>): source is Iterable<T> {
  return typeof source === "string" ||
    (typeof source === "object" && Symbol.iterator in source &&
      !(Symbol.asyncIterator in source));
}

import type { Duration } from "../_internal/check.ts";
import { type AsyncIter, iter } from "./async_iter.ts";
import type { IterSource } from "./_iter_types.ts";

/**
 * Reads ahead, up to `capacity` items, in a task of its own.
 *
 * @typeParam T The type of the items.
 * @param source What to go over.
 * @param capacity How many items may wait.
 * @returns The items that come out.
 *
 * @example Read while others are used
 * ```ts
 * import { buffered, toArray } from "@ilmek/async/iter";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await toArray(buffered([1, 2, 3], 2)), [1, 2, 3]);
 * ```
 */
export function buffered<T>(
  source: IterSource<T>,
  capacity: number,
): AsyncIter<Awaited<T>> {
  return iter(source).buffered(capacity);
}

/**
 * Gives the last item of each burst; see {@linkcode AsyncIter.debounce}.
 *
 * @typeParam T The type of the items.
 * @param source What to go over.
 * @param ms How many milliseconds.
 * @returns The items that come out.
 *
 * @example Keep the last of a burst
 * ```ts
 * import { debounce, toArray } from "@ilmek/async/iter";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await toArray(debounce([1, 2, 3], 1)), [3]);
 * ```
 */
export function debounce<T>(
  source: IterSource<T>,
  ms: Duration,
): AsyncIter<Awaited<T>> {
  return iter(source).debounce(ms);
}

/**
 * Gives an item at most every `ms` milliseconds; see
 * {@linkcode AsyncIter.throttle}.
 *
 * @typeParam T The type of the items.
 * @param source What to go over.
 * @param ms How many milliseconds.
 * @returns The items that come out.
 *
 * @example Keep what was there first and last
 * ```ts
 * import { take, throttle, toArray } from "@ilmek/async/iter";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await toArray(take(throttle([1, 2, 3], 1), 1)).then((it) => it.length), 1);
 * ```
 */
export function throttle<T>(
  source: IterSource<T>,
  ms: Duration,
): AsyncIter<Awaited<T>> {
  return iter(source).throttle(ms);
}

/**
 * Throws a `TimeoutError` if an item does not come within `ms` milliseconds.
 *
 * @typeParam T The type of the items.
 * @param source What to go over.
 * @param ms How many milliseconds.
 * @returns The items that come out.
 *
 * @example Give up on a source that is silent
 * ```ts
 * import { TimeoutError } from "@ilmek/async/errors";
 * import { timeoutEach, toArray } from "@ilmek/async/iter";
 * import { sleep } from "@ilmek/async/sleep";
 * import { assertRejects } from "@std/assert";
 *
 * const silent = async function* () {
 *   await sleep(60_000);
 *   yield 1;
 * };
 *
 * await assertRejects(() => toArray(timeoutEach(silent, 1)), TimeoutError);
 * ```
 */
export function timeoutEach<T>(
  source: IterSource<T>,
  ms: Duration,
): AsyncIter<Awaited<T>> {
  return iter(source).timeoutEach(ms);
}

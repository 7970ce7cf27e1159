import { type AsyncIter, iter } from "./async_iter.ts";
import type {
  IterBatchOptions,
  IterEnumerateOptions,
  IterMapOptions,
  IterSource,
} from "./_iter_types.ts";

/**
 * Gives what `fn` makes of each item; see {@linkcode AsyncIter.map}.
 *
 * @typeParam T The type of the items.
 * @typeParam U What `fn` gives.
 * @param source What to go over.
 * @param fn What to call with each item and its number.
 * @param options Additional options.
 * @returns What `fn` gives.
 *
 * @example Multiply
 * ```ts
 * import { map, toArray } from "@ilmek/async/iter";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await toArray(map([1, 2], (n) => n * 10)), [10, 20]);
 * ```
 */
export function map<T, U>(
  source: IterSource<T>,
  fn: (item: Awaited<T>, index: number) => U | PromiseLike<U>,
  options: IterMapOptions = {},
): AsyncIter<Awaited<U>> {
  return iter(source).map(fn, options);
}

/**
 * Gives the items for which `fn` gives something true.
 *
 * @typeParam T The type of the items.
 * @param source What to go over.
 * @param fn What to call with each item and its number.
 * @returns The items that come out.
 *
 * @example Leave one out
 * ```ts
 * import { filter, toArray } from "@ilmek/async/iter";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await toArray(filter([1, 2, 3], (n) => n !== 2)), [1, 3]);
 * ```
 */
export function filter<T>(
  source: IterSource<T>,
  fn: (item: Awaited<T>, index: number) => unknown,
): AsyncIter<Awaited<T>> {
  return iter(source).filter(fn);
}

/**
 * Gives the items of what `fn` gives for each item, one after the other.
 *
 * @typeParam T The type of the items.
 * @typeParam U The type of the items of what `fn` gives.
 * @param source What to go over.
 * @param fn What to call with each item and its number.
 * @returns The items that come out.
 *
 * @example Give each item twice
 * ```ts
 * import { flatMap, toArray } from "@ilmek/async/iter";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await toArray(flatMap([1, 2], (n) => [n, n])), [1, 1, 2, 2]);
 * ```
 */
export function flatMap<T, U>(
  source: IterSource<T>,
  fn: (
    item: Awaited<T>,
    index: number,
  ) => IterSource<U> | PromiseLike<IterSource<U>>,
): AsyncIter<Awaited<U>> {
  return iter(source).flatMap(fn);
}

/**
 * Gives the items of what `fn` gives for the latest item.
 *
 * @typeParam T The type of the items.
 * @typeParam U The type of the items of what `fn` gives.
 * @param source What to go over.
 * @param fn What to call with each item and its number.
 * @returns The items that come out.
 *
 * @example Search for what was typed last
 * ```ts
 * import { switchMap, toArray } from "@ilmek/async/iter";
 * import { assertEquals } from "@std/assert";
 *
 * const found = switchMap(["a"], (word) => [`${word}1`, `${word}2`]);
 *
 * assertEquals(await toArray(found), ["a1", "a2"]);
 * ```
 */
export function switchMap<T, U>(
  source: IterSource<T>,
  fn: (
    item: Awaited<T>,
    index: number,
  ) => IterSource<U> | PromiseLike<IterSource<U>>,
): AsyncIter<Awaited<U>> {
  return iter(source).switchMap(fn);
}

/**
 * Gives the first `limit` items.
 *
 * @typeParam T The type of the items.
 * @param source What to go over.
 * @param limit How many.
 * @returns The items that come out.
 *
 * @example Stop early
 * ```ts
 * import { take, toArray } from "@ilmek/async/iter";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await toArray(take([1, 2, 3], 2)), [1, 2]);
 * ```
 */
export function take<T>(
  source: IterSource<T>,
  limit: number,
): AsyncIter<Awaited<T>> {
  return iter(source).take(limit);
}

/**
 * Leaves out the first `limit` items.
 *
 * @typeParam T The type of the items.
 * @param source What to go over.
 * @param limit How many.
 * @returns The items that come out.
 *
 * @example Leave out what comes first
 * ```ts
 * import { drop, toArray } from "@ilmek/async/iter";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await toArray(drop([1, 2, 3], 2)), [3]);
 * ```
 */
export function drop<T>(
  source: IterSource<T>,
  limit: number,
): AsyncIter<Awaited<T>> {
  return iter(source).drop(limit);
}

/**
 * Gives items until `fn` gives something false.
 *
 * @typeParam T The type of the items.
 * @param source What to go over.
 * @param fn What to call with each item and its number.
 * @returns The items that come out.
 *
 * @example Stop at the first that is too large
 * ```ts
 * import { takeWhile, toArray } from "@ilmek/async/iter";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await toArray(takeWhile([1, 2, 1], (n) => n < 2)), [1]);
 * ```
 */
export function takeWhile<T>(
  source: IterSource<T>,
  fn: (item: Awaited<T>, index: number) => unknown,
): AsyncIter<Awaited<T>> {
  return iter(source).takeWhile(fn);
}

/**
 * Leaves out items until `fn` gives something false.
 *
 * @typeParam T The type of the items.
 * @param source What to go over.
 * @param fn What to call with each item and its number.
 * @returns The items that come out.
 *
 * @example Begin at the first that is large enough
 * ```ts
 * import { dropWhile, toArray } from "@ilmek/async/iter";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await toArray(dropWhile([1, 2, 1], (n) => n < 2)), [2, 1]);
 * ```
 */
export function dropWhile<T>(
  source: IterSource<T>,
  fn: (item: Awaited<T>, index: number) => unknown,
): AsyncIter<Awaited<T>> {
  return iter(source).dropWhile(fn);
}

/**
 * Calls `fn` with each item, waits for it, and gives the item.
 *
 * @typeParam T The type of the items.
 * @param source What to go over.
 * @param fn What to call with each item and its number.
 * @returns The items that come out.
 *
 * @example Look at what passes
 * ```ts
 * import { tap, toArray } from "@ilmek/async/iter";
 * import { assertEquals } from "@std/assert";
 *
 * const seen: number[] = [];
 * await toArray(tap([1, 2], (n) => seen.push(n)));
 *
 * assertEquals(seen, [1, 2]);
 * ```
 */
export function tap<T>(
  source: IterSource<T>,
  fn: (item: Awaited<T>, index: number) => unknown,
): AsyncIter<Awaited<T>> {
  return iter(source).tap(fn);
}

/**
 * Gives pairs of a number and an item.
 *
 * @typeParam T The type of the items.
 * @param source What to go over.
 * @param options Additional options.
 * @returns The pairs.
 *
 * @example Number lines from 1
 * ```ts
 * import { enumerate, toArray } from "@ilmek/async/iter";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await toArray(enumerate(["a"], { start: 1 })), [[1, "a"]]);
 * ```
 */
export function enumerate<T>(
  source: IterSource<T>,
  options: IterEnumerateOptions = {},
): AsyncIter<[index: number, item: Awaited<T>]> {
  return iter(source).enumerate(options);
}

/**
 * Gives lists of `size` items; see {@linkcode AsyncIter.batch}.
 *
 * @typeParam T The type of the items.
 * @param source What to go over.
 * @param size How many items a list holds.
 * @param options Additional options.
 * @returns The lists.
 *
 * @example Write two at a time
 * ```ts
 * import { batch, toArray } from "@ilmek/async/iter";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await toArray(batch([1, 2, 3], 2)), [[1, 2], [3]]);
 * ```
 */
export function batch<T>(
  source: IterSource<T>,
  size: number,
  options: IterBatchOptions = {},
): AsyncIter<Awaited<T>[]> {
  return iter(source).batch(size, options);
}

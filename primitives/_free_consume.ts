import { iter } from "./async_iter.ts";
import type { IterForEachOptions, IterSource } from "./_iter_types.ts";

/**
 * Gives all items as an array.
 *
 * @typeParam T The type of the items.
 * @param source What to go over.
 * @returns The items.
 *
 * @example Collect what comes
 * ```ts
 * import { toArray } from "@ilmek/async/iter";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await toArray(new Set([1, 2])), [1, 2]);
 * ```
 */
export function toArray<T>(source: IterSource<T>): Promise<Awaited<T>[]> {
  return iter(source).toArray();
}

/**
 * Gives pairs as a map.
 *
 * @typeParam K The type of the keys.
 * @typeParam V The type of the values.
 * @param source What to go over.
 * @returns The map.
 *
 * @example Make a map of pairs
 * ```ts
 * import { toMap } from "@ilmek/async/iter";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await toMap([["a", 1]]), new Map([["a", 1]]));
 * ```
 */
export function toMap<K, V>(
  source: IterSource<readonly [K, V]>,
): Promise<Map<K, V>> {
  return iter(source).toMap();
}

/**
 * Folds all items into one value, starting with `first`.
 *
 * @typeParam T The type of the items.
 * @typeParam U The type of the value.
 * @param source What to go over.
 * @param fn Gives the next value, of the one so far and an item.
 * @param first The value to start with.
 * @returns The last value.
 *
 * @example Add up
 * ```ts
 * import { reduce } from "@ilmek/async/iter";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await reduce([1, 2, 3], (sum, n) => sum + n, 0), 6);
 * ```
 */
export function reduce<T, U>(
  source: IterSource<T>,
  fn: (sum: U, item: Awaited<T>, index: number) => U | PromiseLike<U>,
  first: U,
): Promise<U> {
  return iter(source).reduce(fn, first);
}

/**
 * Calls `fn` with each item, and waits for it.
 *
 * @typeParam T The type of the items.
 * @param source What to go over.
 * @param fn What to call with each item and its number.
 * @param options Additional options.
 *
 * @example Do something with each
 * ```ts
 * import { forEach } from "@ilmek/async/iter";
 * import { assertEquals } from "@std/assert";
 *
 * const seen: number[] = [];
 * await forEach([1, 2], (n) => seen.push(n));
 *
 * assertEquals(seen, [1, 2]);
 * ```
 */
export function forEach<T>(
  source: IterSource<T>,
  fn: (item: Awaited<T>, index: number) => unknown,
  options: IterForEachOptions = {},
): Promise<void> {
  return iter(source).forEach(fn, options);
}

/**
 * Whether `fn` gives something true for an item; no more are taken then.
 *
 * @typeParam T The type of the items.
 * @param source What to go over.
 * @param fn What to call with each item and its number.
 * @returns Whether there is one.
 *
 * @example Ask whether there is one
 * ```ts
 * import { some } from "@ilmek/async/iter";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await some([1, 2], (n) => n > 1), true);
 * ```
 */
export function some<T>(
  source: IterSource<T>,
  fn: (item: Awaited<T>, index: number) => unknown,
): Promise<boolean> {
  return iter(source).some(fn);
}

/**
 * Whether `fn` gives something true for all items.
 *
 * @typeParam T The type of the items.
 * @param source What to go over.
 * @param fn What to call with each item and its number.
 * @returns Whether that is so.
 *
 * @example Ask about all
 * ```ts
 * import { every } from "@ilmek/async/iter";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await every([1, 2], (n) => n > 1), false);
 * ```
 */
export function every<T>(
  source: IterSource<T>,
  fn: (item: Awaited<T>, index: number) => unknown,
): Promise<boolean> {
  return iter(source).every(fn);
}

/**
 * Gives the first item for which `fn` gives something true.
 *
 * @typeParam T The type of the items.
 * @param source What to go over.
 * @param fn What to call with each item and its number.
 * @returns The item, or `undefined` if there is none.
 *
 * @example Look for one
 * ```ts
 * import { find } from "@ilmek/async/iter";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await find([1, 2, 3], (n) => n > 1), 2);
 * ```
 */
export function find<T>(
  source: IterSource<T>,
  fn: (item: Awaited<T>, index: number) => unknown,
): Promise<Awaited<T> | undefined> {
  return iter(source).find(fn);
}

/**
 * Gives the first item.
 *
 * @typeParam T The type of the items.
 * @param source What to go over.
 * @returns The item, or `undefined` if there is none.
 *
 * @example Take one
 * ```ts
 * import { first } from "@ilmek/async/iter";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await first([1, 2]), 1);
 * ```
 */
export function first<T>(
  source: IterSource<T>,
): Promise<Awaited<T> | undefined> {
  return iter(source).first();
}

/**
 * Gives the last item.
 *
 * @typeParam T The type of the items.
 * @param source What to go over.
 * @returns The item, or `undefined` if there is none.
 *
 * @example Go to the end
 * ```ts
 * import { last } from "@ilmek/async/iter";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await last([1, 2]), 2);
 * ```
 */
export function last<T>(
  source: IterSource<T>,
): Promise<Awaited<T> | undefined> {
  return iter(source).last();
}

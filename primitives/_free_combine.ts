import { type AsyncIter, iter } from "./async_iter.ts";
import type { IterItem, IterItems, IterSource } from "./_iter_types.ts";

/**
 * Gives the items of one source after the other.
 *
 * @typeParam S The sources.
 * @param sources What to go over.
 * @returns The items that come out.
 *
 * @example Put lists together
 * ```ts
 * import { concat, toArray } from "@ilmek/async/iter";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await toArray(concat([1], [2, 3])), [1, 2, 3]);
 * ```
 */
export function concat<S extends readonly IterSource<unknown>[]>(
  ...sources: S
): AsyncIter<IterItem<S[number]>> {
  const [first = [], ...others] = sources;
  return iter(first as IterSource<unknown>).concat(...others) as AsyncIter<
    IterItem<S[number]>
  >;
}

/**
 * Gives the items of several sources as they come; see {@linkcode AsyncIter.merge}.
 *
 * @typeParam S The sources.
 * @param sources What to go over.
 * @returns The items that come out.
 *
 * @example Take what comes first
 * ```ts
 * import { merge, range, toArray } from "@ilmek/async/iter";
 * import { assertEquals } from "@std/assert";
 *
 * const slow = range(0, 2, { everyMs: 10 });
 *
 * assertEquals(await toArray(merge(slow, [7, 8])), [7, 8, 0, 1]);
 * ```
 */
export function merge<S extends readonly IterSource<unknown>[]>(
  ...sources: S
): AsyncIter<IterItem<S[number]>> {
  const [first = [], ...others] = sources;
  return iter(first as IterSource<unknown>).merge(...others) as AsyncIter<
    IterItem<S[number]>
  >;
}

/**
 * Gives the first items of all sources, then the second ones, and so on.
 *
 * @typeParam S The sources.
 * @param sources What to go over.
 * @returns Tuples of items.
 *
 * @example Make pairs
 * ```ts
 * import { toArray, zip } from "@ilmek/async/iter";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await toArray(zip([1, 2], ["a", "b"])), [[1, "a"], [2, "b"]]);
 * ```
 */
export function zip<S extends readonly IterSource<unknown>[]>(
  ...sources: S
): AsyncIter<IterItems<S>> {
  const [first = [], ...others] = sources;
  return iter(first as IterSource<unknown>).zip(...others) as AsyncIter<
    IterItems<S>
  >;
}

/**
 * Gives the latest items of all sources whenever one gives a new one.
 *
 * @typeParam S The sources.
 * @param sources What to go over.
 * @returns Tuples of items.
 *
 * @example Know what was said last
 * ```ts
 * import { combineLatest, toArray } from "@ilmek/async/iter";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await toArray(combineLatest(["a"], [1])), [["a", 1]]);
 * ```
 */
export function combineLatest<S extends readonly IterSource<unknown>[]>(
  ...sources: S
): AsyncIter<IterItems<S>> {
  const [first = [], ...others] = sources;
  return iter(first as IterSource<unknown>).combineLatest(
    ...others,
  ) as AsyncIter<IterItems<S>>;
}

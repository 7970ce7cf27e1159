import { type AsyncIter, iter } from "./async_iter.ts";
import type { IterShareOptions, IterSource } from "./_iter_types.ts";

/**
 * Goes over a source once, for all loops over what it gives; see
 * {@linkcode AsyncIter.share}.
 *
 * @typeParam T The type of the items.
 * @param source What to go over.
 * @param options Additional options.
 * @returns What several may go over.
 *
 * @example Read once for two
 * ```ts
 * import { share, toArray } from "@ilmek/async/iter";
 * import { assertEquals } from "@std/assert";
 *
 * const news = share([1, 2]);
 * const all = await Promise.all([toArray(news), toArray(news)]);
 *
 * assertEquals(all, [[1, 2], [1, 2]]);
 * ```
 */
export function share<T>(
  source: IterSource<T>,
  options: IterShareOptions = {},
): AsyncIter<Awaited<T>> {
  return iter(source).share(options);
}

/**
 * Goes over a source once, for `count` loops that get all items each; see
 * {@linkcode AsyncIter.tee}.
 *
 * @typeParam T The type of the items.
 * @param source What to go over.
 * @param count How many loops there will be.
 * @param options Additional options.
 * @returns One for each loop.
 *
 * @example Read once for two
 * ```ts
 * import { last, tee } from "@ilmek/async/iter";
 * import { assertEquals } from "@std/assert";
 *
 * const branches = tee([1, 2], 2);
 *
 * assertEquals(await Promise.all(branches.map(last)), [2, 2]);
 * ```
 */
export function tee<T>(
  source: IterSource<T>,
  count: number,
  options: IterShareOptions = {},
): AsyncIter<Awaited<T>>[] {
  return iter(source).tee(count, options);
}

/**
 * Makes a stream of the items: each is pulled when the reader asks for it.
 *
 * @typeParam T The type of the items.
 * @param source What to go over.
 * @returns The stream.
 *
 * @example Hand items to the platform
 * ```ts
 * import { toArray, toReadable } from "@ilmek/async/iter";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(await toArray(toReadable([1, 2])), [1, 2]);
 * ```
 */
export function toReadable<T>(
  source: IterSource<T>,
): ReadableStream<Awaited<T>> {
  return iter(source).toReadable();
}

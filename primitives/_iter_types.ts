import type { Duration } from "../_internal/check.ts";

/**
 * What can be gone over: an iterable, an async iterable, a stream, or a function
 * that gives one of these, anew for each loop.
 *
 * @typeParam T The type of the items. Promises among them are awaited.
 */
export type IterSource<T> =
  | Iterable<T>
  | AsyncIterable<T>
  | ReadableStream<T>
  | (() => Iterable<T> | AsyncIterable<T> | ReadableStream<T>);

/**
 * What the items of a source are, when they have been awaited.
 *
 * @typeParam S The source.
 */
export type IterItem<S> = S extends IterSource<infer T> ? Awaited<T> : never;

/**
 * What the items of several sources are, as a tuple.
 *
 * @typeParam S The sources.
 */
export type IterItems<S extends readonly unknown[]> = {
  -readonly [K in keyof S]: IterItem<S[K]>;
};

/** Options of `iter`. */
export interface IterOptions {
  /**
   * How long a source that is stuck may take to end, before it is left alone and
   * reported.
   *
   * @default {5000}
   */
  graceMs?: Duration;
}

/** Options of `AsyncIter.map`. */
export interface IterMapOptions extends IterForEachOptions {
  /**
   * Gives the results in the order of the items, instead of as they come.
   *
   * @default {true}
   */
  ordered?: boolean;
  /**
   * How many results may wait for the consumer, besides the calls under way.
   *
   * @default {0}
   */
  buffer?: number;
}

/** Options of `AsyncIter.forEach`. */
export interface IterForEachOptions {
  /**
   * For how many items the function may be under way at a time. If there may be
   * several, each call has a task of its own.
   *
   * @default {1}
   */
  concurrency?: number;
}

/** Options of `AsyncIter.batch`. */
export interface IterBatchOptions {
  /**
   * How long a list may wait for more items, from its first one.
   *
   * @default {Infinity}
   */
  withinMs?: Duration;
}

/** Options of `AsyncIter.share` and `AsyncIter.tee`. */
export interface IterShareOptions {
  /**
   * How many items a consumer may be behind, before the others wait for it.
   *
   * @default {16}
   */
  capacity?: number;
}

/** Options of `AsyncIter.enumerate`. */
export interface IterEnumerateOptions {
  /**
   * The number of the first item.
   *
   * @default {0}
   */
  start?: number;
}

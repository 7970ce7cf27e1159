/**
 * All that there is for going over what comes in time: {@linkcode iter}, sources,
 * and the operators as plain functions.
 *
 * The functions have names that other modules use as well, so that only this
 * module has them; `iter`, and what gives items, come from `@ilmek/async`, too.
 *
 * ```ts
 * import { batch, filter, range } from "@ilmek/async/iter";
 *
 * const even = filter(range(0, 10), (n) => n % 2 === 0);
 * for await (const pair of batch(even, 2)) console.log(pair);
 * ```
 *
 * @module
 */
export * from "./async_iter.ts";
export * from "./generator.ts";
export * from "./range.ts";
export { combineLatest, concat, merge, zip } from "./_free_combine.ts";
export {
  every,
  find,
  first,
  forEach,
  last,
  reduce,
  some,
  toArray,
  toMap,
} from "./_free_consume.ts";
export { share, tee, toReadable } from "./_free_share.ts";
export { buffered, debounce, throttle, timeoutEach } from "./_free_timed.ts";
export {
  batch,
  drop,
  dropWhile,
  enumerate,
  filter,
  flatMap,
  map,
  switchMap,
  take,
  takeWhile,
  tap,
} from "./_free_transform.ts";

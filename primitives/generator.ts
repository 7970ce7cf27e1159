/**
 * Generators that run in a task of their own.
 *
 * ```ts
 * import { channelFrom } from "@ilmek/async/generator";
 *
 * const numbers = channelFrom(async function* () {
 *   yield* [1, 2, 3];
 * });
 * for await (const n of numbers) console.log(n);
 * ```
 *
 * @module
 */
import {
  checkCount,
  checkFunction,
  type Duration,
} from "../_internal/check.ts";
import { type AsyncIter, iter } from "./async_iter.ts";

export type { Duration } from "../_internal/check.ts";

/** Options of {@linkcode channelFrom}. */
export interface ChannelFromOptions {
  /**
   * How many items the generator may be ahead.
   *
   * @default {0}
   */
  buffer?: number;
  /**
   * How long the generator may take to end, if it is stuck, before it is left
   * alone and reported.
   *
   * @default {5000}
   */
  graceMs?: Duration;
}

/**
 * Gives what a generator yields, and runs it in one task of its own.
 *
 * The body of a generator runs in the task and in the scope of whoever asks for an
 * item: what it opens in one step, such as a group of tasks or a lock, may belong
 * to another task in the next. Here all steps belong to one. Leaving the loop early
 * cancels that task and waits for its end, also if it waits for something; what it
 * has started in its own scope is cancelled with it.
 *
 * @typeParam T What it yields.
 * @param fn The generator; it is called anew for each loop.
 * @param options Additional options.
 * @returns What the generator yields.
 * @throws {TypeError} If `fn` is not a function.
 * @throws {RangeError} If an option is out of its range.
 *
 * @example Keep a group of tasks open between items
 * ```ts
 * import { channelFrom } from "@ilmek/async/generator";
 * import { sleep } from "@ilmek/async/sleep";
 * import { TaskGroup } from "@ilmek/async/task-group";
 * import { assertEquals } from "@std/assert";
 *
 * const values = channelFrom(async function* () {
 *   await using group = new TaskGroup();
 *   const slow = group.createTask(() => sleep(2, { value: "slow" }));
 *   const quick = group.createTask(() => sleep(1, { value: "quick" }));
 *   yield await quick;
 *   yield await slow;
 *   await group.waitAll();
 * });
 *
 * assertEquals(await values.toArray(), ["quick", "slow"]);
 * ```
 */
export function channelFrom<T>(
  fn: () => AsyncIterable<T>,
  options: ChannelFromOptions = {},
): AsyncIter<Awaited<T>> {
  const { buffer = 0, graceMs = 5000 } = options;
  checkFunction(fn, "run a generator");
  checkCount(buffer, "run a generator", "buffer", 0);
  return iter(fn, { graceMs }).buffered(buffer);
}

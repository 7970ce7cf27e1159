/**
 * Cleanup that may wait although its scope was cancelled.
 *
 * ```ts ignore
 * try {
 *   await work();
 * } finally {
 *   await uncancellable(() => connection.close());
 * }
 * ```
 *
 * @module
 */
import { checkFunction, type Duration, toMs } from "../_internal/check.ts";
import { currentFrame } from "../_internal/frame.ts";
import { openScope } from "../_internal/open_scope.ts";
import { ScopeNode } from "../_internal/scope_node.ts";

/** Options of {@linkcode uncancellable}. */
export interface UncancellableOptions {
  /**
   * How long cancellations from outside stay invisible, counted from the first.
   *
   * @default {5000}
   */
  graceMs?: Duration;
  /** How the report calls the cleanup if it takes too long. */
  name?: string;
}

/**
 * Runs `fn` so that cancellations from outside are invisible in it.
 *
 * When a cancellation comes, or has come before, `fn` has a time of grace. After
 * that its waits throw, and the loop's exception handler is told the name. A
 * `timeout` inside of `fn` counts as ever.
 *
 * @typeParam T What `fn` returns.
 * @param fn What to run.
 * @param options Additional options.
 * @returns What `fn` returns.
 * @throws {TypeError} If `fn` is not a function.
 * @throws {RangeError} If `options.graceMs` is negative or not a number.
 *
 * @example Wait in a `finally` block
 * ```ts
 * import { sleep } from "@ilmek/async/sleep";
 * import { createTask } from "@ilmek/async/task";
 * import { uncancellable } from "@ilmek/async/uncancellable";
 * import { assert } from "@std/assert";
 *
 * let closed = false;
 * const task = createTask(async () => {
 *   try {
 *     await sleep(60_000);
 *   } finally {
 *     await uncancellable(() => sleep(1));
 *     closed = true;
 *   }
 * });
 * await sleep(0);
 * task.cancel();
 * await task.catch(() => {});
 *
 * assert(closed);
 * ```
 */
export async function uncancellable<T>(
  fn: () => T | PromiseLike<T>,
  options: UncancellableOptions = {},
): Promise<T> {
  const { graceMs = 5000, name } = options;
  checkFunction(fn, "run cleanup");
  const ms = toMs(graceMs, "run cleanup", "graceMs");
  const frame = currentFrame();
  const node = new ScopeNode(frame.loop, frame.scope, { name, graceMs: ms });
  return await openScope(frame, node, fn as (none: undefined) => T, undefined);
}

/**
 * Waiting for one thing, for a limited time.
 *
 * ```ts
 * import { sleep } from "@ilmek/async/sleep";
 * import { waitFor } from "@ilmek/async/wait-for";
 *
 * await waitFor(() => sleep(1), 1000);
 * ```
 *
 * @module
 */
import { type Duration, toLimitMs } from "../_internal/check.ts";
import { beginEntry, checkEntry, type Entry } from "../_internal/entries.ts";
import { TimeoutError } from "../_internal/errors.ts";
import { currentFrame } from "../_internal/frame.ts";
import type { Outcome } from "../_internal/outcome.ts";
import { timeout } from "./timeout.ts";

/**
 * Waits for a function, a task, a future or a promise, for at most `ms`
 * milliseconds.
 *
 * When the time runs out, or the one who waits is cancelled, what is waited for
 * is cancelled, whoever else waits for it, and its end is waited for. With a limit
 * of 0 a function is not called at all.
 *
 * @typeParam T What is waited for.
 * @param entry What to wait for.
 * @param ms The limit; `null` for none.
 * @returns The value.
 * @throws {TimeoutError} If the time runs out.
 * @throws {TypeError} If `entry` is something else.
 * @throws {RangeError} If `ms` is negative or not a number.
 *
 * @example Limit a task
 * ```ts
 * import { sleep } from "@ilmek/async/sleep";
 * import { createTask } from "@ilmek/async/task";
 * import { TimeoutError } from "@ilmek/async/timeout";
 * import { waitFor } from "@ilmek/async/wait-for";
 * import { assert, assertRejects } from "@std/assert";
 *
 * const task = createTask(() => sleep(60_000));
 * await assertRejects(() => waitFor(task, 5), TimeoutError);
 *
 * assert(task.cancelled);
 * ```
 */
export async function waitFor<T>(
  entry: Entry<T>,
  ms: Duration | null,
): Promise<T> {
  checkEntry(entry, "wait");
  const limitMs = toLimitMs(ms, "wait");
  if (limitMs === 0) return await finishNow(entry);
  return await timeout(
    limitMs,
    typeof entry === "function" ? entry : () => own(beginEntry(entry)),
  );
}

function own<T>(outcome: Outcome<T>): Promise<T> {
  return outcome.join(currentFrame(), { owns: true });
}

/** There is no time at all: only what is there already counts. */
async function finishNow<T>(entry: Entry<T>): Promise<T> {
  if (typeof entry === "function") throw new TimeoutError(0);
  const outcome = beginEntry(entry);
  return await timeout(0, () => own(outcome));
}

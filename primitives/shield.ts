/**
 * Waiting for work that goes on if the one who waits is cancelled.
 *
 * ```ts
 * import { shield } from "@ilmek/async/shield";
 * import { sleep } from "@ilmek/async/sleep";
 *
 * await shield(() => sleep(1)); // The sleep would end in any case.
 * ```
 *
 * @module
 */
import { beginEntry, checkEntry, type Entry } from "../_internal/entries.ts";
import { currentFrame } from "../_internal/frame.ts";
import { Future } from "./future.ts";

/**
 * Protects work from the cancellation of the one who waits for it.
 *
 * The one who waits may be cancelled, and throws at once; the work goes on. If
 * the work itself is cancelled, the one who waits sees that. If the work fails
 * later, when nobody waits any more, the failure is reported.
 *
 * @typeParam T What the work gives.
 * @param entry The work: a function, which is started as a task, a task, a future
 * or a promise.
 * @returns A future of the value; cancelling it leaves the work alone.
 * @throws {TypeError} If `entry` is something else.
 *
 * @example Let a write finish
 * ```ts
 * import { shield } from "@ilmek/async/shield";
 * import { sleep } from "@ilmek/async/sleep";
 * import { createTask } from "@ilmek/async/task";
 * import { TimeoutError, timeout } from "@ilmek/async/timeout";
 * import { assertEquals, assertRejects } from "@std/assert";
 *
 * const write = createTask(() => sleep(20, { value: "written" }));
 * await assertRejects(() => timeout(1, () => shield(write)), TimeoutError);
 *
 * assertEquals(await write, "written");
 * ```
 */
export function shield<T>(entry: Entry<T>): Future<T> {
  checkEntry(entry, "shield");
  const outcome = beginEntry(entry);
  const future = new Future<T>({ name: `shield of ${outcome.label}` });
  outcome.subscribe(currentFrame().loop, () => {
    if (future.done) return;
    outcome.observe();
    if (outcome.state === "done") future.setResult(outcome.value as never);
    else future.setException(outcome.value);
  });
  return future;
}

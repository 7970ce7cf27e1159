/**
 * Waiting until all other tasks wait, so that a test knows where they are.
 *
 * ```ts
 * import { Future } from "@ilmek/async/future";
 * import { createTask } from "@ilmek/async/task";
 * import { runVirtual } from "@ilmek/async/virtual";
 * import { waitAllParked } from "@ilmek/async/wait-all-parked";
 *
 * await runVirtual(async () => {
 *   const gate = new Future<void>();
 *   const task = createTask(() => gate);
 *   await waitAllParked();
 *   // The task stands at the gate now.
 *   gate.setResult();
 *   await task;
 * });
 * ```
 *
 * @module
 */
import { type Duration, toMs } from "../_internal/check.ts";
import type { Claim } from "../_internal/claim.ts";
import { InvalidStateError } from "../_internal/errors.ts";
import { currentFrame, type Frame } from "../_internal/frame.ts";
import { sleep } from "../primitives/sleep.ts";
import { VirtualClock } from "./_virtual_clock.ts";

/** Options of {@linkcode waitAllParked}. */
export interface WaitAllParkedOptions {
  /**
   * For how long in virtual time none may have gone on. By default the time does not
   * move.
   *
   * @default {0}
   */
  cushionMs?: Duration;
}

/**
 * Waits until every other task of the loop waits, and nothing is ready to go on.
 *
 * Those who sleep, or wait for something from outside, wait as well: the time does
 * not move meanwhile. With a cushion it does, until all have stayed where they are
 * for so long. Of several callers one goes on after another.
 *
 * @param options Additional options.
 * @throws {InvalidStateError} If the loop's time is not virtual.
 * @throws {RangeError} If `cushionMs` is negative or not a number.
 * @throws {CancelledError} If the ambient scope is cancelled.
 * @throws {DeadlockError} From the run, if a task awaits something that the loop
 * cannot see for too long.
 *
 * @example Know that both stand in line
 * ```ts
 * import { Queue } from "@ilmek/async/queue";
 * import { createTask } from "@ilmek/async/task";
 * import { runVirtual } from "@ilmek/async/virtual";
 * import { waitAllParked } from "@ilmek/async/wait-all-parked";
 * import { assertEquals } from "@std/assert";
 *
 * await runVirtual(async () => {
 *   const queue = new Queue<number>();
 *   const tasks = [1, 2].map(() => createTask(() => queue.get()));
 *   await waitAllParked();
 *
 *   assertEquals(queue.waiting, 2);
 *   for (const task of tasks) task.cancel();
 * });
 * ```
 */
export async function waitAllParked(
  options: WaitAllParkedOptions = {},
): Promise<void> {
  const { cushionMs = 0 } = options;
  const doing = "wait until all are parked";
  const cushion = toMs(cushionMs, doing, "cushionMs");
  const frame = currentFrame();
  const { clock } = frame.loop;
  if (!(clock instanceof VirtualClock)) {
    throw new InvalidStateError(
      `Cannot ${doing}: the time of the loop is not virtual`,
    );
  }
  await clock.allParked(frame);
  if (cushion === 0) return;
  for (;;) {
    const before = waitsOf(frame);
    await sleep(cushion);
    await clock.allParked(frame);
    if (isSame(before, waitsOf(frame))) return;
  }
}

/** The waits on the loop. Each is an object of its own: whoever goes on leaves it. */
function waitsOf({ loop }: Frame): Set<Claim> {
  const waits = new Set(loop.root.claims());
  for (const scope of loop.root.descendants()) {
    for (const claim of scope.claims()) waits.add(claim);
  }
  return waits;
}

function isSame(before: Set<Claim>, after: Set<Claim>): boolean {
  return before.size === after.size && before.isSubsetOf(after);
}

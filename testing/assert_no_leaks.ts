/**
 * Asserting that nothing is left behind: no task, scope, wait, timer or hold.
 *
 * ```ts
 * import { assertNoLeaks } from "@ilmek/async/assert-no-leaks";
 * import { sleep } from "@ilmek/async/sleep";
 *
 * await assertNoLeaks(() => sleep(1));
 * ```
 *
 * @module
 */
import { checkFunction } from "../_internal/check.ts";
import { currentFrame, type Frame } from "../_internal/frame.ts";
import { sleep } from "../primitives/sleep.ts";
import { leftoversBeside, newLeftovers } from "./_leftovers.ts";
import { VirtualClock } from "./_virtual_clock.ts";

/** Thrown by {@linkcode assertNoLeaks} if something is left behind. */
export class LeakError extends Error {
  static {
    this.prototype.name = "LeakError";
  }
  /** What is left, in words: one entry for each thing. */
  readonly leaks: readonly string[];

  /** Creates the error of some leaks. */
  constructor(leaks: readonly string[]) {
    super(
      `Cannot end cleanly: this is left behind\n${
        leaks.map((leak) => `  ${leak}`).join("\n")
      }`,
    );
    this.leaks = leaks;
  }
}

/**
 * Throws if something is left behind on the running loop: a task, a scope, a wait,
 * a timer, or a hold (something outside that the loop waits for).
 *
 * What was cancelled last is given time to go: a turn, and in virtual time until
 * nothing goes on any more. The code that calls, its task and the scopes around it
 * do not count.
 *
 * @param fn What to run: only what it leaves behind counts. Without it everything
 * on the loop counts.
 * @throws {LeakError} If something is left behind.
 * @throws {TypeError} If `fn` is given, and is not a function.
 * @throws What `fn` throws.
 *
 * @example Find a task that nobody waits for
 * ```ts
 * import { assertNoLeaks, LeakError } from "@ilmek/async/assert-no-leaks";
 * import { sleep } from "@ilmek/async/sleep";
 * import { createTask } from "@ilmek/async/task";
 * import { runVirtual } from "@ilmek/async/virtual";
 * import { assertRejects } from "@std/assert";
 *
 * await runVirtual(async () => {
 *   await assertRejects(
 *     () => assertNoLeaks(() => void createTask(() => sleep(1000))),
 *     LeakError,
 *   );
 * });
 * ```
 */
export async function assertNoLeaks(fn?: () => unknown): Promise<void> {
  if (fn !== undefined) checkFunction(fn, "assert that nothing leaks");
  const frame = currentFrame();
  const before = fn === undefined ? new Map() : leftoversBeside(frame);
  await fn?.();
  await rest(frame);
  const leaks = newLeftovers(before, leftoversBeside(frame));
  if (leaks.length > 0) throw new LeakError(leaks);
}

async function rest(frame: Frame): Promise<void> {
  const { clock } = frame.loop;
  if (clock instanceof VirtualClock) await clock.allParked(frame);
  else await sleep(0);
}

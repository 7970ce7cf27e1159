/**
 * Ticks at a steady pace.
 *
 * ```ts
 * import { interval } from "@ilmek/async/interval";
 *
 * for await (const tick of interval(1)) {
 *   if (tick >= 3) break;
 * }
 * ```
 *
 * @module
 */
import { type Duration, toMs } from "../_internal/check.ts";
import { currentFrame } from "../_internal/frame.ts";
import { sleepUntil } from "./sleep.ts";

/** Options of {@linkcode interval}. */
export interface IntervalOptions {
  /**
   * What happens with ticks that were missed since the loop's body took too long:
   *
   * - `skip`: they are left out, and the pace is kept.
   * - `burst`: they come at once, one after the other.
   * - `delay`: the next comes a whole interval later, and the pace shifts.
   *
   * @default {"skip"}
   */
  missed?: "skip" | "burst" | "delay";
  /** Ends the waits when it aborts, besides the ambient scope. */
  signal?: AbortSignal;
}

/**
 * Gives 0, 1, 2, ... with `ms` milliseconds between them; the first comes after
 * one interval.
 *
 * The number counts intervals: with `skip` it leaves out those that were missed.
 *
 * @param ms The length of an interval.
 * @param options Additional options.
 * @returns What `for await` can go over, without an end.
 * @throws {RangeError} If `ms` is not a number > 0.
 * @throws {CancelledError} If the ambient scope is cancelled.
 *
 * @example Do something three times
 * ```ts
 * import { interval } from "@ilmek/async/interval";
 * import { assertEquals } from "@std/assert";
 *
 * const ticks: number[] = [];
 * for await (const tick of interval(1, { missed: "burst" })) {
 *   ticks.push(tick);
 *   if (tick === 2) break;
 * }
 *
 * assertEquals(ticks, [0, 1, 2]);
 * ```
 */
export function interval(
  ms: Duration,
  options: IntervalOptions = {},
): AsyncIterableIterator<number> {
  const length = toMs(ms, "make an interval");
  if (length === 0) {
    throw new RangeError(
      'Cannot make an interval as "ms" must be a number > 0: current value is 0',
    );
  }
  return ticks(length, options);
}

async function* ticks(
  ms: number,
  options: IntervalOptions,
): AsyncGenerator<number, void, void> {
  const { missed = "skip", signal } = options;
  const { loop } = currentFrame();
  let due = loop.time() + ms;
  for (let tick = 0;; tick++) {
    await sleepUntil(due, signal === undefined ? {} : { signal });
    yield tick;
    due += ms;
    const late = loop.time() - due;
    if (late <= 0 || missed === "burst") continue;
    if (missed === "delay") due = loop.time() + ms;
    else {
      const skipped = Math.floor(late / ms) + 1;
      tick += skipped;
      due += skipped * ms;
    }
  }
}

/**
 * Schedules: how long to wait before something is tried again, and when to stop.
 *
 * ```ts
 * import { exponential } from "@ilmek/async/schedule";
 *
 * const schedule = exponential(100, { maxMs: 5000 }).jittered("full").recurs(4);
 * ```
 *
 * @module
 */
import { checkCount, type Duration, show, toMs } from "../_internal/check.ts";
import { Schedule, type ScheduleInput } from "./_schedule.ts";

export type { Duration } from "../_internal/check.ts";
export {
  type Jitter,
  Schedule,
  type ScheduleDelaysOptions,
  type ScheduleInput,
  type ScheduleJitteredOptions,
  type ScheduleStep,
} from "./_schedule.ts";

/** Options of {@linkcode exponential}. */
export interface ExponentialOptions {
  /**
   * By how much each delay is longer than the one before.
   *
   * @default {2}
   */
  factor?: number;
  /**
   * The longest delay.
   *
   * @default {10000}
   */
  maxMs?: Duration;
}

/** Delays stay exact up to here; what grows for ever stops growing. */
const MOST_MS = Number.MAX_SAFE_INTEGER;

/**
 * Waits longer each time.
 *
 * @param firstMs The first delay.
 * @param options Additional options.
 * @returns A schedule that never stops.
 * @throws {RangeError} If a duration is negative, or `factor` is below 1.
 *
 * @example Double the delay, up to a limit
 * ```ts
 * import { exponential } from "@ilmek/async/schedule";
 * import { assertEquals } from "@std/assert";
 *
 * const schedule = exponential(100, { maxMs: 350 });
 *
 * assertEquals(schedule.delays(4), [100, 200, 350, 350]);
 * ```
 */
export function exponential(
  firstMs: Duration,
  options: ExponentialOptions = {},
): Schedule {
  const doing = "create a schedule";
  const { factor = 2, maxMs = 10_000 } = options;
  const first = toMs(firstMs, doing, "firstMs");
  const most = Math.min(MOST_MS, toMs(maxMs, doing, "maxMs"));
  if (typeof factor !== "number" || !(factor >= 1)) {
    throw new RangeError(
      `Cannot ${doing} as "factor" must be a number >= 1: current value is ${
        show(factor)
      }`,
    );
  }
  // 0 times a power that has grown to infinity would be no number.
  if (first === 0) return spaced(0);
  return always(({ attempt }) =>
    Math.min(most, first * factor ** (attempt - 1))
  );
}

/**
 * Waits for the sum of the last two delays: slower than doubling.
 *
 * @param firstMs The first delay.
 * @param options Additional options.
 * @returns A schedule that never stops.
 * @throws {RangeError} If a duration is negative or not a number.
 *
 * @example Let delays grow slowly
 * ```ts
 * import { fibonacci } from "@ilmek/async/schedule";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(fibonacci(10).delays(6), [10, 10, 20, 30, 50, 80]);
 * ```
 */
export function fibonacci(
  firstMs: Duration,
  options: Pick<ExponentialOptions, "maxMs"> = {},
): Schedule {
  const doing = "create a schedule";
  const { maxMs = 10_000 } = options;
  const first = toMs(firstMs, doing, "firstMs");
  const most = Math.min(MOST_MS, toMs(maxMs, doing, "maxMs"));
  return new Schedule(() => {
    let [a, b] = [0, first];
    return () => {
      const delay = Math.min(most, b);
      [a, b] = [b, Math.min(MOST_MS, a + b)];
      return delay;
    };
  });
}

/**
 * Waits for the same time after each attempt has ended.
 *
 * @param ms The delay.
 * @returns A schedule that never stops.
 * @throws {RangeError} If `ms` is negative or not a number.
 *
 * @example Wait for a second in between
 * ```ts
 * import { spaced } from "@ilmek/async/schedule";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(spaced(1000).delays(3), [1000, 1000, 1000]);
 * ```
 */
export function spaced(ms: Duration): Schedule {
  const delay = toMs(ms, "create a schedule");
  return always(() => delay);
}

/**
 * Begins attempts at a steady pace, however long each takes. An attempt that took
 * too long is followed by the next at once; those that were missed are not made
 * up for.
 *
 * @param ms From one beginning to the next.
 * @returns A schedule that never stops.
 * @throws {RangeError} If `ms` is not a number above 0.
 *
 * @example Try at 0, 100, 200 ms
 * ```ts
 * import { fixed } from "@ilmek/async/schedule";
 * import { assertEquals } from "@std/assert";
 *
 * const step = fixed(100).begin();
 * const random = () => 0;
 *
 * // The first attempt has taken 30 ms.
 * assertEquals(
 *   step({ attempt: 1, elapsedMs: 30, lastDelayMs: 0, random }),
 *   70,
 * );
 * ```
 */
export function fixed(ms: Duration): Schedule {
  const pace = toMs(ms, "create a schedule");
  if (pace === 0) {
    throw new RangeError(
      'Cannot create a schedule as "ms" must be a number above 0: current value is 0',
    );
  }
  return new Schedule(() => {
    let due = pace;
    return ({ elapsedMs }) => {
      const delay = Math.max(0, due - elapsedMs);
      due = (Math.floor((elapsedMs + delay) / pace) + 1) * pace;
      return delay;
    };
  });
}

/**
 * Goes on for `count` times, without a delay: what others are limited with.
 *
 * @param count How many delays there are.
 * @returns A schedule that stops after `count` delays.
 * @throws {RangeError} If `count` is not an integer >= 0.
 *
 * @example Try again twice, at once
 * ```ts
 * import { recurs } from "@ilmek/async/schedule";
 * import { assertEquals } from "@std/assert";
 *
 * assertEquals(recurs(2).delays(10), [0, 0]);
 * ```
 */
export function recurs(count: number): Schedule {
  checkCount(count, "create a schedule", "count", 0);
  return new Schedule(() => ({ attempt }) => attempt <= count ? 0 : undefined);
}

function always(delay: (input: ScheduleInput) => number): Schedule {
  return new Schedule(() => delay);
}

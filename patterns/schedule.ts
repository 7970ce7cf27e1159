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
import {
  checkCount,
  checkFunction,
  type Duration,
  show,
  toMs,
} from "../_internal/check.ts";
import { defaultRandom } from "../_internal/random.ts";

export type { Duration } from "../_internal/check.ts";

/** What a schedule is told when something has failed. */
export interface ScheduleInput {
  /** Which attempt has failed: 1 for the first. */
  readonly attempt: number;
  /** How many milliseconds have passed since the first attempt began. */
  readonly elapsedMs: number;
  /** How long the last wait was; 0 if there was none. */
  readonly lastDelayMs: number;
  /** What the attempt has failed with. */
  readonly error?: unknown;
  /** Where jitter comes from: a number >= 0 and below 1. */
  readonly random: () => number;
}

/**
 * Tells how many milliseconds to wait before the next attempt; `undefined` says
 * that there is none.
 */
export type ScheduleStep = (input: ScheduleInput) => number | undefined;

/**
 * How delays are spread, so that those who failed together do not come back
 * together: between 0 and the delay, between half and all of it, between the
 * first delay and three times the last one, or not at all.
 */
export type Jitter = "full" | "equal" | "decorrelated" | "none";

/** Options of {@linkcode Schedule.jittered}. */
export interface ScheduleJitteredOptions {
  /**
   * The longest delay of `"decorrelated"`.
   *
   * @default {10000}
   */
  maxMs?: Duration;
}

/** Options of {@linkcode Schedule.delays}. */
export interface ScheduleDelaysOptions {
  /** Where jitter comes from. */
  random?: () => number;
}

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

const JITTERS: readonly Jitter[] = ["full", "equal", "decorrelated", "none"];

/**
 * When to try again. Schedules are values: what changes one makes a new one, and
 * each run through it begins afresh.
 *
 * @example Combine schedules
 * ```ts
 * import { exponential, spaced } from "@ilmek/async/schedule";
 * import { assertEquals } from "@std/assert";
 *
 * const quickThenSlow = spaced(5).recurs(2).andThen(exponential(100)).recurs(4);
 *
 * assertEquals(quickThenSlow.delays(10), [5, 5, 100, 200]);
 * ```
 */
export class Schedule {
  readonly #begin: () => ScheduleStep;

  /**
   * Creates a schedule. `begin` is called for each run, and gives a function that
   * is asked after each failure; what it remembers belongs to that run.
   */
  constructor(begin: () => ScheduleStep) {
    checkFunction(begin, "create a schedule", "begin");
    this.#begin = begin;
  }

  /**
   * Begins a run through the schedule.
   *
   * @returns A function that tells each delay in turn.
   */
  begin(): ScheduleStep {
    return this.#begin();
  }

  /**
   * Goes on as long as both do, and waits for the longer of both delays.
   *
   * @param other Another schedule.
   * @returns A new schedule.
   */
  and(other: Schedule): Schedule {
    return combine(this, other, (a, b) => {
      if (a === undefined || b === undefined) return undefined;
      return Math.max(a, b);
    });
  }

  /**
   * Goes on as long as one of both does, and waits for the shorter delay.
   *
   * @param other Another schedule.
   * @returns A new schedule.
   */
  or(other: Schedule): Schedule {
    return combine(this, other, (a, b) => {
      if (a === undefined || b === undefined) return a ?? b;
      return Math.min(a, b);
    });
  }

  /**
   * Goes on with another schedule when this one stops. The other counts attempts
   * and time from there.
   *
   * @param other The schedule that follows.
   * @returns A new schedule.
   */
  andThen(other: Schedule): Schedule {
    checkSchedule(other, "chain schedules");
    return new Schedule(() => {
      const first = this.begin();
      let second: ScheduleStep | undefined;
      let from: ScheduleInput | undefined;
      return (input) => {
        if (second === undefined) {
          const delay = first(input);
          if (delay !== undefined) return delay;
          second = other.begin();
          from = input;
        }
        const { attempt = 1, elapsedMs = 0 } = from ?? {};
        return second({
          ...input,
          attempt: input.attempt - attempt + 1,
          elapsedMs: input.elapsedMs - elapsedMs,
        });
      };
    });
  }

  /**
   * Stops before a delay that would end later than `ms` after the beginning.
   *
   * @param ms How long to go on.
   * @returns A new schedule.
   * @throws {RangeError} If `ms` is negative or not a number.
   */
  upTo(ms: Duration): Schedule {
    const limit = toMs(ms, "limit a schedule");
    return this.#mapped((delay, { elapsedMs }) =>
      elapsedMs + delay > limit ? undefined : delay
    );
  }

  /**
   * Stops after `count` delays.
   *
   * @param count How many delays there are at most.
   * @returns A new schedule.
   * @throws {RangeError} If `count` is not an integer >= 0.
   */
  recurs(count: number): Schedule {
    return this.and(recurs(count));
  }

  /**
   * Spreads the delays. The spread comes last, so that a delay at its limit is
   * spread like all others.
   *
   * @param jitter How to spread.
   * @param options Additional options.
   * @returns A new schedule.
   * @throws {TypeError} If `jitter` is none of the known ways.
   */
  jittered(
    jitter: Jitter = "full",
    options: ScheduleJitteredOptions = {},
  ): Schedule {
    const { maxMs = 10_000 } = options;
    if (!JITTERS.includes(jitter)) {
      throw new TypeError(
        `Cannot spread a schedule as "jitter" must be one of ${
          JITTERS.map((it) => `"${it}"`).join(", ")
        }: current value is ${show(jitter)}`,
      );
    }
    const most = toMs(maxMs, "spread a schedule", "maxMs");
    if (jitter === "decorrelated") return this.#decorrelated(most);
    return this.#mapped((delay, { random }) => {
      if (jitter === "none") return delay;
      if (jitter === "full") return delay * random();
      return delay / 2 + delay / 2 * random();
    });
  }

  /**
   * The delays that a run would have if every attempt failed at once: to look at
   * a schedule, and to test it.
   *
   * @param count How many delays to give at most.
   * @param options Additional options.
   * @returns The delays, fewer than `count` if the schedule stops.
   */
  delays(count: number, options: ScheduleDelaysOptions = {}): number[] {
    const { random = defaultRandom } = options;
    const step = this.begin();
    const delays: number[] = [];
    let elapsedMs = 0;
    for (let attempt = 1; attempt <= count; attempt++) {
      const lastDelayMs = delays.at(-1) ?? 0;
      const delay = step({ attempt, elapsedMs, lastDelayMs, random });
      if (delay === undefined) break;
      delays.push(delay);
      elapsedMs += delay;
    }
    return delays;
  }

  /** AWS's decorrelated jitter: "Exponential Backoff And Jitter" (2015). */
  #decorrelated(maxMs: number): Schedule {
    return new Schedule(() => {
      const step = this.begin();
      let first: number | undefined;
      return (input) => {
        const delay = step(input);
        if (delay === undefined) return undefined;
        first ??= delay;
        const top = Math.max(first, input.lastDelayMs * 3);
        return Math.min(maxMs, first + (top - first) * input.random());
      };
    });
  }

  #mapped(
    map: (delay: number, input: ScheduleInput) => number | undefined,
  ): Schedule {
    return new Schedule(() => {
      const step = this.begin();
      return (input) => {
        const delay = step(input);
        return delay === undefined ? undefined : map(delay, input);
      };
    });
  }
}

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

/** Throws unless `value` is a schedule. */
function checkSchedule(value: unknown, doing: string): void {
  if (value instanceof Schedule) return;
  throw new TypeError(
    `Cannot ${doing} as "schedule" must be a Schedule: current value is ${
      show(value)
    }`,
  );
}

function always(delay: (input: ScheduleInput) => number): Schedule {
  return new Schedule(() => delay);
}

function combine(
  a: Schedule,
  b: Schedule,
  merge: (a: number | undefined, b: number | undefined) => number | undefined,
): Schedule {
  checkSchedule(b, "combine schedules");
  return new Schedule(() => {
    const [stepA, stepB] = [a.begin(), b.begin()];
    return (input) => merge(stepA(input), stepB(input));
  });
}
